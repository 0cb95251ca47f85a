# The house rules, and the programs as processes: haild against a client that shares no code with
# it, and the tools against each other.
find_package(Python3 3.9 COMPONENTS Interpreter REQUIRED)
function(hail_script_test name script)
    add_test(NAME ${name}
        COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script} ${ARGN})
endfunction()

add_test(NAME tidy COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tidy.sh)
hail_script_test(tidy_rules test_tidy.py)
hail_script_test(e2e_vectors mlapi_client.py)
if(TARGET haild)
set_tests_properties(tidy PROPERTIES ENVIRONMENT
    "HAIL_BINARIES=$<TARGET_FILE:haild> $<TARGET_FILE:hail-load> $<TARGET_FILE:hail-cert>")
hail_script_test(e2e_mlapi test_mlapi.py $<TARGET_FILE_DIR:haild>)
hail_script_test(e2e_tools test_tools.py $<TARGET_FILE_DIR:haild>)
endif()
