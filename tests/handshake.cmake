# Strangers, and how they become peers: the native handshake.
hail_test(datagram hail_proto)
hail_test(noise hail_proto)
hail_test(keycert hail_proto)
hail_test(handshake hail_proto)
