# The primitives: vectors of their standards, wycheproof where it is there, and properties.
hail_test(meter hail_crypto)
hail_test(secret hail_crypto)
hail_test(random hail_crypto)
hail_test(kdf hail_crypto)
hail_test(mac hail_crypto)
hail_test(cbc hail_crypto)
hail_test(kex hail_crypto)
hail_test(aead hail_crypto)
