# What the programs are made of.
hail_test(hex hail_tools)
hail_test(histogram hail_tools)
hail_test(plan hail_tools)
hail_test(process hail_tools)
hail_test(rooms hail_tools)
hail_test(settings hail_tools)
