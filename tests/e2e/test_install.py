# test_install.py: installs the build into a folder, moves that, and builds and runs programs
# against what is there and nothing else of the project.
# SPDX-License-Identifier: MIT
#
# usage: test_install.py BUILD [NAME...]     BUILD: the build tree, whole

import contextlib
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

from harness import PATIENCE, check, equal, main, program, scenario

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def call(*command, **environment):
    """Runs a command to its good end, in an environment that helps no program find a library."""
    clean = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120 * PATIENCE,
                          check=False, stdin=subprocess.DEVNULL, env={**clean, **environment})
    check(done.returncode == 0, "%s: exit status %d\n%s%s" % (
        shlex.join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout


class Installed:
    """The build, installed in one folder and moved to another; leaving the block removes it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="hail-install-", dir=os.path.abspath(program(".")))
        self.prefix = self("moved")
        call("cmake", "--install", program("."), "--prefix", self("first"))
        os.rename(self("first"), self.prefix)
        (self.pkgconfig,) = glob.glob(self.prefix + "/lib*/**/pkgconfig", recursive=True)
        self.lib = os.path.dirname(self.pkgconfig)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def __call__(self, name):
        return os.path.join(self.folder, name)

    def flags(self, *arguments):
        return shlex.split(call("pkg-config", *arguments, PKG_CONFIG_PATH=self.pkgconfig))

    def version(self):
        return self.flags("--modversion", "hail")[0] + "\n"

    def needed(self, file):
        return re.findall(r"NEEDED.*\[(.*)\]", call("readelf", "-d", file))


def compile_embed(installed, name, flags):
    """embed.c in both languages with those flags; returns the programs."""
    source = os.path.join(SOURCE, "tests", "install", "embed.c")
    for compiler, language in ((["cc", "-std=c11"], "c"), (["c++", "-std=c++17"], "c++")):
        out = installed("%s-%s" % (name, language))
        call(*compiler, *STRICT, "-o", out, "-x", language, source, "-x", "none", *flags)
        yield out


def build_with_cmake(installed, source, *options):
    """A project of its own, in installed("build"). CMake's default generator wants make, which
    nothing else here does."""
    call("cmake", "-G", "Ninja", "-S", source, "-B", installed("build"),
         "-DCMAKE_PREFIX_PATH=" + installed.prefix, *options)
    call("cmake", "--build", installed("build"))


@scenario("hail.pc: C11 and C++17 with the shared library")
def shared():
    with Installed() as installed:
        flags = installed.flags("--cflags", "--libs", "hail")
        for out in compile_embed(installed, "shared", flags):
            needed = installed.needed(out)
            check("libhail.so.0.1" in needed, needed)
            check("libcrypto.so.0" not in needed, "BoringSSL is linked twice: %s" % needed)
            equal(call(out, LD_LIBRARY_PATH=installed.lib), installed.version(), "version")


@scenario("hail.pc --static where there is the archive alone; hail-static.pc beside both")
def static():
    with Installed() as installed:
        flags = installed.flags("--cflags", "--libs", "hail-static")
        for out in compile_embed(installed, "beside", flags):
            check("libhail.so.0.1" not in installed.needed(out), "the shared library is used")
            equal(call(out), installed.version(), "version")
        for file in glob.glob(installed.lib + "/libhail.so*"):
            os.remove(file)
        flags = installed.flags("--static", "--cflags", "--libs", "hail")
        for out in compile_embed(installed, "alone", flags):
            equal(call(out), installed.version(), "version")


@scenario("find_package(hail): C11 and C++17 with hail::hail and hail::hail_static")
def cmake_package():
    with Installed() as installed:
        build_with_cmake(installed, os.path.join(SOURCE, "tests", "install"))
        for name in ("c_hail", "cc_hail", "c_hail_static", "cc_hail_static"):
            equal(call(installed("build/" + name)), installed.version(), name)
        (package,) = glob.glob(installed.prefix + "/lib*/**/hailConfig.cmake", recursive=True)
        with open(package, encoding="utf-8") as text:
            (soname,) = re.findall(r"IMPORTED_SONAME (\S+)", text.read())
        check(soname in installed.needed(installed("build/c_hail")), soname + " is not needed")


@scenario("add_subdirectory(hail): the library alone, and nothing that the project does not need")
def subdirectory():
    with Installed() as installed:
        os.mkdir(installed("game"))
        with open(installed("game/CMakeLists.txt"), "w", encoding="utf-8") as text:
            text.write("cmake_minimum_required(VERSION 3.22)\nproject(game LANGUAGES C)\n"
                       "add_subdirectory(%s hail)\nadd_executable(game %s)\n"
                       "target_link_libraries(game PRIVATE hail::hail_static)\n"
                       % (SOURCE, os.path.join(SOURCE, "tests", "install", "embed.c")))
        build_with_cmake(installed, installed("game"))
        equal(call(installed("build/game")), installed.version(), "version")
        programs = glob.glob(installed("build/**/haild*"), recursive=True)
        equal(programs, [], "programs")


@scenario("the shared library shows what hail.h declares and nothing else, and has a SONAME")
def exports():
    with Installed() as installed:
        with open(installed.prefix + "/include/hail.h", encoding="utf-8") as file:
            declared = set(re.findall(r"HAIL_API [^;(]*?\b(hail_\w+)\(", file.read()))
        library = installed.lib + "/libhail.so"
        symbols = call("nm", "-D", "--defined-only", library)
        shown = {line.split()[-1] for line in symbols.splitlines()}
        equal(shown - declared, set(), "shown and not declared")
        equal(declared - shown, set(), "declared and not shown")
        check("SONAME" in call("readelf", "-d", library), "no SONAME")


@contextlib.contextmanager
def echo_server(path, identity):
    with subprocess.Popen([path, "0", identity], stderr=subprocess.PIPE, text=True) as process:
        try:
            ready = process.stderr.readline()
            match = re.search(r"listening on port (\d+)", ready)
            check(match, "the server said: " + ready)
            yield match[1]
            process.send_signal(signal.SIGTERM)
            equal(process.wait(20 * PATIENCE), 0, "the server's exit status")
        finally:
            process.kill()


@scenario("the examples: built against the installed library alone; an echo; a zone of 200 bots")
def examples():
    with Installed() as installed:
        (source,) = glob.glob(installed.prefix + "/**/examples", recursive=True)
        build_with_cmake(installed, source, "-DCMAKE_C_FLAGS=-Werror")
        call(installed.prefix + "/bin/hail-cert", "dev", "--dir", installed("certs"))
        with echo_server(installed("build/echo_server"),
                         installed("certs/server.pfx.b64")) as port:
            out = call(installed("build/echo_client"), "127.0.0.1", port,
                       installed("certs/ca.pem"), "hello, hail")
            equal(out, "hello, hail\n", "the echo")
        out = call(installed("build/zone_server"), "200", "3")
        check(re.search(r"^bots connected +200 +of 200$", out, re.M), out)
        check(re.search(r"^chat delivered .*: exactly$", out, re.M), out)
        for name in ("haild", "hail-load"):
            call(installed.prefix + "/bin/" + name, "--help")


@scenario("the manual pages are where man looks for them")
def manual():
    with Installed() as installed:
        for name in ("man1/hail-cert.1", "man1/hail-load.1", "man8/haild.8"):
            page = os.path.join(installed.prefix, "share", "man", name)
            check(os.path.getsize(page) > 0, page)


if __name__ == "__main__":
    main()
