# Certificates and keys: loading files, signatures, and what a client believes.
hail_test(identity hail_crypto)
hail_test(armour hail_crypto)
hail_test(signature hail_crypto)
hail_test(trust hail_crypto)
hail_test(kinds hail_proto)
