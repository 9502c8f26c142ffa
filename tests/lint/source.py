"""House rules that a look at the text can check."""

import ast
import concurrent.futures
import os
import re
import subprocess

from report import TOP, files, lines

STRINGS_AND_COMMENTS = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

# function: the rooms that may call it
FORBIDDEN = {
    **dict.fromkeys("strcpy strcat stpcpy sprintf vsprintf gets alloca strdupa strndupa setjmp longjmp sigsetjmp tmpnam mktemp "
                    "system popen pthread_create thrd_create strtok gethostbyname".split(), ()),
    **dict.fromkeys("strtol strtoul strtoll strtoull strtod atoi atol atoll sscanf".split(), ("base",)),
    **dict.fromkeys("rand srand random srandom".split(), ()),
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(FORBIDDEN)) + r")\s*\(")
C_FILES = ("gateway/*.c", "gateway/*.h", "policy/*.c", "policy/*.h", "include/*.h")
# A path of one developer's machine, or the address of a package mirror, works nowhere else.
MACHINE = re.compile(r"(?<![\w.$}])/(?:work|workspace|Users)/[\w.-]+|/home/(?!ec2-user|deploy\b)[a-z]\w*/|/root/(?!\.ssh\b)[\w.]+"
                     r"|[\w.-]*(?:artifactory|jfrog|nexus)[\w-]*\.[a-z]{2,}|proxy\.golang\.org")


def code_only(path):
    """The text with comments and strings blanked, line numbers unchanged."""
    text = "\n".join(lines(path)) + "\n"
    return STRINGS_AND_COMMENTS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def forbidden_calls(path):
    room = "policy" if path.startswith("policy/") else path.split("/")[1]
    for number, line in enumerate(code_only(path).splitlines(), 1):
        for call in CALL.finditer(line):
            if room not in FORBIDDEN[call[1]]:
                yield f"{path}:{number}: {call[1]} is not used in this house (STYLE in docs/testing.md)"


def conditional_lines(path):
    """`#ifdef` chooses whole files, never lines inside a function."""
    depth = 0
    for number, line in enumerate(code_only(path).splitlines(), 1):
        if line.lstrip().startswith("#"):
            if depth > 0 and re.match(r"\s*#\s*if", line):
                yield f"{path}:{number}: a condition inside a function: choose a file instead"
            continue
        depth += line.count("{") - line.count("}")


def guards(path):
    wanted = "_".join(path.split("/")[-2:]).upper().replace(".", "_").replace("-", "_")
    text = "\n".join(lines(path))
    if f"#ifndef {wanted}\n#define {wanted}\n" not in text and not path.endswith(".def"):
        yield f"{path}: the guard is not {wanted}"


def compiles_alone(path):
    done = subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c",
                           "-I", "include", "-include", path, "/dev/null"], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"{path}: {done.stderr.strip().splitlines()[0] if done.stderr else 'does not compile'}"


def hygiene(path):
    with open(os.path.join(TOP, path), "rb") as file:
        data = file.read()
    if b"\0" in data or not data:
        return
    if not data.endswith(b"\n"):
        yield f"{path}: the last line has no end"
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.endswith((b" ", b"\t", b"\r")):
            yield f"{path}:{number}: white space at the end of the line"


def machine_paths(path):
    for number, line in enumerate(lines(path), 1):
        found = MACHINE.search(line)
        if found:
            yield f"{path}:{number}: {found[0]} belongs to one machine"


def unused_imports(path):
    """Python without third-party checkers: it parses, and every import is used."""
    text = "\n".join(lines(path)) + "\n"
    try:
        tree = ast.parse(text, path)
    except SyntaxError as error:
        yield f"{path}:{error.lineno}: {error.msg}"
        return
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                names[(alias.asname or alias.name).split(".")[0]] = node.lineno
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    exported = {value.value for node in ast.walk(tree) if isinstance(node, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
                for value in getattr(node.value, "elts", [])}
    for name, number in names.items():
        if name not in used | exported:
            yield f"{path}:{number}: {name} is imported and not used"


def is_script(path, *interpreters):
    first = (lines(path) or [""])[0]
    return first.startswith("#!") and first.rstrip().endswith(interpreters)


def shellcheck(paths):
    done = subprocess.run(["shellcheck", "-x", "--severity=warning", *paths], cwd=TOP, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode else []


def clang_format(path):
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", path], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"{path}: clang-format would change it"


def _each(check, paths):
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for problems in pool.map(lambda path: list(check(path)), paths):
            yield from problems


def run(report):
    code, headers = files(*C_FILES), files("include/*.h")
    everything = [path for path in files("*") if "/corpus/" not in path and not path.endswith((".png", ".bin"))]
    formatted = files(*C_FILES, "tests/*.c", "tests/*.h")
    shell = [path for path in everything if path.endswith(".sh") or is_script(path, "sh", "bash")]
    python = [path for path in everything if path.endswith(".py") or is_script(path, "python3")]
    report.check("source: no forbidden function is called", _each(forbidden_calls, code))
    report.check("source: no condition of the preprocessor inside a function", _each(conditional_lines, code))
    report.check("source: guards name their header", _each(guards, headers))
    report.check("source: every header compiles alone", _each(compiles_alone, headers))
    report.check("source: clang-format agrees", _each(clang_format, formatted))
    report.check("source: lines end cleanly", _each(hygiene, everything))
    report.check("source: no path or mirror of one machine",
                 _each(machine_paths, [path for path in everything if path != "tests/lint/source.py"]))
    report.check("source: shellcheck agrees", shellcheck(shell))
    report.check("source: Python parses and imports what it uses", _each(unused_imports, python))
