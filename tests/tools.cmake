# What the programs are made of.
hail_test(histogram hail_tools)
hail_test(process hail_tools)
