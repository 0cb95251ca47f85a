# Shards and clients in one thread on a network of dice; see sim/sim.h.
add_executable(sim sim/main.c sim/sim.c sim/ids.c sim/messages.c audit.c audit_delivery.c
    audit_stores.c)
target_link_libraries(sim PRIVATE hail_shard)
# A seed takes some 25 ms as released, and under the sanitizers several times that.
add_test(NAME sim COMMAND sim --seconds 60)
