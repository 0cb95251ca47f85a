# The mlapi profile, part by part, against what MLAPI 12 itself put on the wire.
hail_test(policy hail_proto)
hail_test(frame hail_proto)
hail_test(bits hail_proto)
hail_test(names hail_proto)
hail_test(network hail_proto)
hail_test(packer hail_proto)
hail_test(body hail_proto)
