# The native profile's packets, part by part.
hail_test(replay hail_proto)
hail_test(varint hail_proto)
hail_test(acks hail_proto)
hail_test(congestion hail_proto)
hail_test(frames hail_proto)
hail_test(packet hail_proto)
hail_test(wire hail_proto)
