# The installed tree, as users have it. Not under sanitizers: every program that links an
# instrumented library needs the sanitizer's runtime, and users have none.
if(NOT HAIL_SANITIZE AND NOT HAIL_FUZZ)
    hail_script_test(install test_install.py ${PROJECT_BINARY_DIR})
endif()
