# Finds a static libssh that is safe to use, or stops. Sets LIBSSH_ARCHIVE and LIBSSH_INCLUDE.
# CVE-2026-59847: up to 0.10.6-0+deb12u2 the tag of AES-GCM packets was never verified. 0.11.5 and 0.12.2 hold the fix.
if(BASTION_LIBSSH_ROOT)
    set(LIBSSH_HINTS NO_DEFAULT_PATH PATHS ${BASTION_LIBSSH_ROOT})
endif()
find_library(LIBSSH_ARCHIVE libssh.a ${LIBSSH_HINTS} PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_CACHE)
find_path(LIBSSH_INCLUDE libssh/libssh_version.h ${LIBSSH_HINTS} PATH_SUFFIXES include NO_CACHE)
if(NOT LIBSSH_ARCHIVE OR NOT LIBSSH_INCLUDE)
    message(FATAL_ERROR "libssh.a with headers was not found: install libssh-dev, or set BASTION_LIBSSH_ROOT")
endif()

file(STRINGS ${LIBSSH_INCLUDE}/libssh/libssh_version.h LIBSSH_LINES
    REGEX "define LIBSSH_VERSION_(MAJOR|MINOR|MICRO)")
string(REGEX REPLACE "[^0-9;]" "" LIBSSH_NUMBERS "${LIBSSH_LINES}")
string(REPLACE ";" "." LIBSSH_VERSION "${LIBSSH_NUMBERS}")

set(LIBSSH_REFUSED "its AES-GCM packets may not be authenticated (CVE-2026-59847)")
if(LIBSSH_VERSION VERSION_LESS 0.10.6)
    message(FATAL_ERROR "libssh ${LIBSSH_VERSION} is too old: ${LIBSSH_REFUSED}")
elseif(LIBSSH_VERSION VERSION_LESS 0.11)
    # The upstream number does not tell whether the fix is in: only Debian's package version does.
    if(BASTION_LIBSSH_ROOT)
        message(FATAL_ERROR "libssh ${LIBSSH_VERSION} in BASTION_LIBSSH_ROOT is refused: ${LIBSSH_REFUSED}; "
            "use 0.11.5, 0.12.2 or newer there, or the package libssh-dev 0.10.6-0+deb12u3")
    endif()
    execute_process(COMMAND dpkg-query -W -f "\${Version}" libssh-dev OUTPUT_VARIABLE LIBSSH_PACKAGE ERROR_QUIET)
    execute_process(COMMAND dpkg --compare-versions "${LIBSSH_PACKAGE}" ge 0.10.6-0+deb12u3
        RESULT_VARIABLE LIBSSH_COMPARED ERROR_QUIET)
    if(NOT LIBSSH_COMPARED EQUAL 0)
        message(FATAL_ERROR "libssh-dev '${LIBSSH_PACKAGE}' is refused: ${LIBSSH_REFUSED}; "
            "0.10.6-0+deb12u3 or newer is needed: apt-get update && apt-get install libssh-dev")
    endif()
elseif(LIBSSH_VERSION VERSION_LESS 0.11.5 OR
        (LIBSSH_VERSION VERSION_GREATER_EQUAL 0.12 AND LIBSSH_VERSION VERSION_LESS 0.12.2))
    message(FATAL_ERROR "libssh ${LIBSSH_VERSION} is refused: ${LIBSSH_REFUSED}; 0.11.5, 0.12.2 or newer is needed")
endif()
message(STATUS "libssh ${LIBSSH_VERSION} ${LIBSSH_PACKAGE}: ${LIBSSH_ARCHIVE}")
