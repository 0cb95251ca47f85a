# Strangers, and how they become peers: the native handshake.
hail_test(datagram hail_proto)
hail_test(noise hail_proto)
hail_test(keycert hail_proto)
hail_test(handshake hail_proto)
hail_test(ticket hail_proto)
hail_test(peer hail_proto)
target_sources(test_peer PRIVATE pair.c)
# Every seal in this one goes by the test, which looks for keys and nonces that repeat.
hail_test(nonces hail_proto)
target_sources(test_nonces PRIVATE pair.c)
target_link_options(test_nonces PRIVATE -Wl,--wrap=hail_aead_seal)
hail_test(joining hail_shard)
hail_test(returns hail_shard)
