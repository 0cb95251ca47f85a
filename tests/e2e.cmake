# The house rules, and the programs as processes: haild against a client that shares no code with
# it, and the tools against each other.
# -S: Python's own modules, and none that this machine happens to have besides.
find_package(Python3 3.9 COMPONENTS Interpreter REQUIRED)
function(hail_script_test name script)
    add_test(NAME ${name}
        COMMAND Python3::Interpreter -BS ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script} ${ARGN})
endfunction()

add_test(NAME tidy COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tidy.sh)
add_test(NAME header COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/header.sh)
add_test(NAME measures
    COMMAND Python3::Interpreter -BS ${CMAKE_CURRENT_SOURCE_DIR}/measures.py --check)
# The walks of a message that engine/DESIGN.md lists.
add_test(NAME walk COMMAND Python3::Interpreter -BS ${CMAKE_CURRENT_SOURCE_DIR}/walk.py)
hail_script_test(tidy_rules test_tidy.py)
hail_script_test(e2e_vectors mlapi_client.py)

# README.md's example is cut from it and built, so that it stays true.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md)
file(READ ${PROJECT_SOURCE_DIR}/README.md readme)
if(NOT readme MATCHES "\n```c\n([^`]*)```\n")
    message(FATAL_ERROR "README.md has no example in C")
endif()
file(CONFIGURE OUTPUT readme_example.c CONTENT "${CMAKE_MATCH_1}" @ONLY)
add_executable(readme_example ${CMAKE_CURRENT_BINARY_DIR}/readme_example.c)
target_link_libraries(readme_example PRIVATE hail_flags hail)

add_executable(e2e_certificates e2e/certificates.c)
target_link_libraries(e2e_certificates PRIVATE hail_crypto)

add_executable(without_io_uring e2e/without_io_uring.c)
target_link_libraries(without_io_uring PRIVATE hail_flags)

if(TARGET haild)
set_tests_properties(tidy PROPERTIES ENVIRONMENT
    "HAIL_BINARIES=$<TARGET_FILE:haild> $<TARGET_FILE:hail-load> $<TARGET_FILE:hail-cert>")
foreach(io uring epoll)
    hail_script_test(e2e_mlapi_${io} test_mlapi.py $<TARGET_FILE_DIR:haild>)
    hail_script_test(e2e_hail_${io} test_hail.py $<TARGET_FILE_DIR:haild>)
    set_tests_properties(e2e_mlapi_${io} e2e_hail_${io} PROPERTIES ENVIRONMENT HAIL_IO=${io})
endforeach()
add_test(NAME man COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/man.sh $<TARGET_FILE_DIR:haild>)
hail_script_test(e2e_tools test_tools.py $<TARGET_FILE_DIR:haild>)
hail_script_test(e2e_matrix test_matrix.py $<TARGET_FILE_DIR:haild>)
endif()
