# The short form of tests/soak, which by itself takes minutes. Sanitizers keep what is freed for a
# while, so with them memory is shown and not judged. Not under the thread sanitizer: slow, and it
# finds nothing there that the tests of endpoints do not.
if(TARGET haild AND NOT HAIL_SANITIZE MATCHES "thread")
    set(judgement)
    if(HAIL_SANITIZE)
        set(judgement --memory-not-judged)
    endif()
    add_test(NAME soak_quick COMMAND Python3::Interpreter -BS ${CMAKE_CURRENT_SOURCE_DIR}/soak
        --quick --programs $<TARGET_FILE_DIR:haild> ${judgement})
endif()
