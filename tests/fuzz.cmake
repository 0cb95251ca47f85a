# Fuzz targets are always built, so they cannot rot: with HAIL_FUZZ they fuzz (tests/fuzz/run),
# without it they replay their corpus as an ordinary test.
function(hail_fuzz name)
    add_executable(${name} fuzz/${name}.c)
    target_link_libraries(${name} PRIVATE hail_proto)
    if(HAIL_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${name} PRIVATE fuzz/replay_main.c)
        string(REPLACE fuzz_ "" corpus ${name})
        add_test(NAME ${name}_corpus COMMAND sh -c "\"$1\" \"$2\"/*" sh $<TARGET_FILE:${name}>
            ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${corpus})
    endif()
endfunction()

hail_fuzz(fuzz_frame)
hail_fuzz(fuzz_bits)
hail_fuzz(fuzz_unwrap)
hail_fuzz(fuzz_hail)
hail_fuzz(fuzz_hail_response)
hail_fuzz(fuzz_connection_request)
hail_fuzz(fuzz_message)
hail_fuzz(fuzz_pfx)
