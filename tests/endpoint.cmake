# The library as applications have it, by what hail.h exports and nothing else: real sockets on
# loopback, real threads. Made to run under the thread sanitizer.
function(hail_endpoint_test name)
    hail_test(${name} hail_shared)
    target_sources(test_${name} PRIVATE live_endpoint.c)
    target_link_libraries(test_${name} PRIVATE hail_flags)
endfunction()

hail_endpoint_test(endpoint)
hail_endpoint_test(calls)
hail_endpoint_test(storm)
hail_endpoint_test(native)
hail_endpoint_test(resume)
hail_endpoint_test(channels)
hail_endpoint_test(groups)
hail_endpoint_test(promises)
hail_endpoint_test(rpc)
hail_endpoint_test(neighbours)
hail_endpoint_test(memory)

hail_test(types hail_shared)
target_link_libraries(test_types PRIVATE hail_flags)

# It reads the wire as well, by what is inside.
hail_test(scenes hail_engine)
target_sources(test_scenes PRIVATE live_endpoint.c)

# Sanitizers have a heap of their own.
if(NOT HAIL_SANITIZE AND NOT HAIL_FUZZ)
    hail_endpoint_test(heap)
    target_sources(test_heap PRIVATE malloc_count.c)
endif()
