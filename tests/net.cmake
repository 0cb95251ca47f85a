# Real endpoints on networks of network namespaces; skipped where those may not be made.
function(hail_net_test name)
    add_executable(test_net_${name} net/test_${name}.c net/net.c live_endpoint.c vectors.c)
    target_link_libraries(test_net_${name} PRIVATE hail_shared hail_flags
        PkgConfig::CHECK PkgConfig::JANSSON Threads::Threads)
    add_test(NAME net_${name} COMMAND test_net_${name})
    set_tests_properties(net_${name} PROPERTIES SKIP_RETURN_CODE 77 ENVIRONMENT
        "HAIL_VECTORS=${HAIL_VECTORS};HAIL_TESTS=${CMAKE_CURRENT_SOURCE_DIR}")
endfunction()

hail_net_test(follow)
hail_net_test(paths)
