#!/usr/bin/env python3
"""Holds the structure of the source trees: no circles of files, and arrows between modules that point down only.

  tests/structure.py [CRATE...]       checks these crates, or the whole workspace; exits with 1 if anything is wrong
  tests/structure.py --graph CRATE    which top-level module uses which, for ARCHITECTURE.md
  tests/structure.py --files CRATE    which file uses which, and by which line

An arrow leads from a file that names something to the file that defines it, through all re-exports. Where a parent
only declares or passes on what a child has, that is no arrow. Tests, comments and strings do not count. A method that
is called has no path, so this cannot see which file has it.
"""
import pathlib
import re
import sys

# The top-level modules of a crate, from top to bottom. A name that is gone does no harm; a module without a place does.
ORDER = {
    "perennial-core": [
        "testing", "session", "providers", "oauth2", "exchange", "store", "mqtt", "aws", "grant", "wire", "error",
        "credentials",
    ],
}

ROOT = pathlib.Path(__file__).resolve().parent.parent
NO_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\b[bc]?r(\#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'\n])'""", re.S)
TOKEN = re.compile(r"[A-Za-z_]\w*|::|'\w+|\d\w*|\S")
IDENT = re.compile(r"[A-Za-z_]\w*\Z")
ITEMS = {"struct", "enum", "union", "trait", "type", "fn", "const", "static"}


class Module:
    """A module, in a file of its own or inside of another one's."""

    def __init__(self, file, parent=None):
        self.file, self.parent, self.root = file, parent, parent.root if parent else self
        self.children, self.items, self.words = {}, {}, set()  # Items by their kinds; the words of its code.
        self.uses = []  # What it brings into its scope: (path, name, line, whether that is passed on).
        self.paths = []  # What it names by a path: (path, line).

    def inside(self, other):
        return self is other or (self.parent is not None and self.parent.inside(other))


def closing(tokens, at):
    """The place of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place][0] in "([{") - (tokens[place][0] in ")]}")
        if depth == 0:
            return place
    return len(tokens)


def only_in_tests(condition):
    """Whether a condition such as `all(loom,test)` holds in tests only: it cannot where `test` is false."""
    def decide(found):
        parts = [part not in ("test", "never") for part in found[2].split(",") if part]
        return "maybe" if {"all": all(parts), "any": any(parts), "not": True}[found[1]] else "never"

    changed = 1
    while changed:
        condition, changed = re.subn(r"\b(all|any|not)\(([^()]*)\)", decide, condition)
    return condition in ("test", "never")


def after_item(tokens, at):
    """The place behind the item, statement or field that begins at `at`."""
    while tokens[at][0] == "#":
        at = closing(tokens, at + 1) + 1
    # A comma ends a field, and stands between the generics of an item.
    item = any(token in ITEMS | {"use", "mod", "impl"} for token, _ in tokens[at:at + 8])
    angles = 0
    while at < len(tokens) and tokens[at][0] not in ")]}":
        token = tokens[at][0]
        angles += (token == "<") - (token == ">" and tokens[at - 1][0] not in "-=")
        at = closing(tokens, at) if token in "([{" else at
        if token in "{;" or (token == "," and not item and angles == 0):
            return at + 1
        at += 1
    return at


def use_tree(text):
    """The paths and names of `a::{b,c@d}`, where `@` is for `as`."""
    while found := re.search(r"([\w:]*)\{([^{}]*)\}", text):
        inner = ",".join(found[1] + part for part in found[2].split(",") if part)
        text = text[:found.start()] + inner + text[found.end():]
    for part in filter(None, text.split(",")):
        path, _, name = part.partition("@")
        path = path.removesuffix("::self").split("::")
        yield path, name or path[-1]


def read_file(module, folder, src):
    """Reads the file of a module, and those of its children, which stand in `folder`."""
    code = NO_CODE.sub(lambda found: " " + "\n" * found[0].count("\n"), module.file.read_text())
    tokens = [(token, line) for line, text in enumerate(code.split("\n"), 1) for token in TOKEN.findall(text)]
    read(module, tokens, folder, src)


def read(module, tokens, folder, src):
    end_of_all, depth, public, at = len(tokens), 0, False, 0
    tokens = tokens + [(";", 0)] * 3  # So that nobody has to ask for the end when looking ahead.
    while at < end_of_all:
        (token, line), following, third = tokens[at], tokens[at + 1][0], tokens[at + 2][0]
        end = at + 1
        if token == "#":
            start = end + (following == "!")
            words = "".join(word for word, _ in tokens[start + 1:closing(tokens, start)])
            if words.startswith("cfg(") and only_in_tests(words[4:-1]):
                end = after_item(tokens, at) if following == "[" else end_of_all
        elif token == "pub" and following == "(" and third in ("crate", "super", "self", "in"):
            end = closing(tokens, end) + 1
        elif token == "use" and following != "<":
            end = next(place for place in range(at, len(tokens)) if tokens[place][0] == ";")
            text = "".join("@" if word == "as" else word for word, _ in tokens[at + 1:end])
            module.uses += [(path, name, line, public) for path, name in use_tree(text)]
        elif token == "mod" and third in "{;":
            files = [module.file] if third == "{" else [folder / f"{following}.rs", folder / following / "mod.rs"]
            file = next((file for file in files if file.is_file()), None)
            if file is None:
                sys.exit(f"{module.file}:{line}: cannot find the file of `mod {following}`")
            end = after_item(tokens, at)
            is_new = following not in module.children
            if file.name != "tests.rs" and "tests" not in file.relative_to(src).parts:
                child = module.children.setdefault(following, Module(file, module))
                if third == "{":
                    read(child, tokens[at + 3:end - 1], folder / following, src)
                elif is_new:
                    read_file(child, folder / following, src)
        elif token in "{}":
            depth += 1 if token == "{" else -1
        elif token in ITEMS and depth == 0 and IDENT.match(following):
            module.items.setdefault(following, token)
        elif token == "macro_rules":
            module.items[third] = "macro"
        elif IDENT.match(token) and (at == 0 or tokens[at - 1][0] not in ("::", ".")):
            while tokens[end][0] == "::" and IDENT.match(tokens[end + 1][0]):
                end += 2
            module.words.add(token)
            if end > at + 1:
                module.paths.append(([word for word, _ in tokens[at:end:2]], line))
        public, at = token == "pub", end


class Crate:
    def __init__(self, folder):
        self.src = folder / "src"
        self.name = re.search(r'^name\s*=\s*"([^"]+)"', (folder / "Cargo.toml").read_text(), re.M)[1]
        kinds = ("lib.rs", "main.rs", "bin/*.rs", "bin/*/main.rs")
        roots = [Module(file) for file in sorted(file for kind in kinds for file in self.src.glob(kind))]
        for root in roots:
            read_file(root, root.file.parent, self.src)
        self.lib = next((root for root in roots if root.file.name == "lib.rs"), None)
        self.files, self.arrows = set(), {}
        for root in roots:
            self.draw(root)
        # The crate's root and its programs stand above all else.
        programs = sorted({top for top in map(self.top, self.files) if top.startswith("bin/")})
        self.place = {top: place for place, top in enumerate(["lib", "main", *programs, *ORDER.get(self.name, [])])}

    def find(self, module, name, as_module, seen=frozenset()):
        """What a name in a module means: another module, or the module that defines it together with its kind."""
        if (module, name) in seen:
            return None
        seen |= {(module, name)}
        child = module.children.get(name)
        if child and as_module:
            return child
        if name in module.items:
            return module, module.items[name]
        named = [self.resolve(module, path, seen) for path, known_as, *_ in module.uses if known_as == name]
        if found := next(filter(None, named), child):
            return found
        for path in [path[:-1] for path, known_as, *_ in module.uses if known_as == "*"]:
            target = self.resolve(module, path, seen)
            if isinstance(target, Module) and (found := self.find(target, name, as_module, seen)):
                return found
        return None

    def resolve(self, module, path, seen=frozenset()):
        """What a path in a module means, as `find` says it; nothing if it leads out of the crate."""
        here, inside = module, False
        for at, name in enumerate(path):
            if name in ("crate", "self", "super"):
                here, inside = {"crate": here.root, "self": here, "super": here.parent or here}[name], True
                continue
            found = self.find(here, name, at + 1 < len(path), seen)
            if not found and at == 0 and self.lib and name == self.name.replace("-", "_"):
                found = self.lib
            if not isinstance(found, Module):
                # What a macro has made stands in no list: it belongs to the module that is named.
                return found or ((here, "unknown") if inside else None)
            here, inside = found, True
        return here

    def draw(self, module):
        """Draws the arrows of a module and of those in it."""
        self.files.add(module.file)
        drawn = []
        for path, name, line, public in module.uses:
            found = self.resolve(module, path[:-1] if name == "*" else path)
            if name == "*" and isinstance(found, Module):
                known = module.items.keys() | {name for _, name, *_ in module.uses}
                drawn += [(self.find(found, word, False), [*path[:-1], word], line) for word in module.words - known]
            elif isinstance(found, tuple):
                passed_on = found[0].inside(module) and name != "_" and name not in module.words
                # A trait that is not passed on is there for its methods.
                if not passed_on or (found[1] == "trait" and not public):
                    drawn.append((found, path, line))
        for path, line in module.paths:
            # What belongs to an item, such as `Type::new`, has its arrow from where the item is brought in.
            if path[0] in ("crate", "self", "super") or not isinstance(self.find(module, path[0], False), tuple):
                drawn.append((self.resolve(module, path), path, line))
        for found, path, line in drawn:
            if isinstance(found, tuple) and found[0].file != module.file:
                arrow, why = (module.file, found[0].file), (line, "::".join(path))
                self.arrows[arrow] = min(why, self.arrows.get(arrow, why))
        for child in module.children.values():
            self.draw(child)

    def short(self, file):
        return file.relative_to(self.src).as_posix()

    def because(self, arrow):
        line, path = self.arrows[arrow]
        return f"{self.short(arrow[0])} -> {self.short(arrow[1])}    {arrow[0].relative_to(ROOT)}:{line} {path}"

    def top(self, file):
        """The top-level module that a file belongs to; a program counts as a whole."""
        parts = file.relative_to(self.src).with_suffix("").parts
        return "/".join(parts[:2]) if parts[0] == "bin" else parts[0]

    def is_up(self, source, target):
        return {source, target} <= self.place.keys() and self.place[source] > self.place[target]

    def circles(self):
        """The sets of files of which each leads to all of the others."""
        targets = {file: [target for source, target in self.arrows if source == file] for file in self.files}
        reach = {}
        for file in self.files:
            known, ends = set(), [file]
            while ends:
                new = set(targets[ends.pop()]) - known
                known |= new
                ends += new
            reach[file] = known
        found = {frozenset(other for other in reach[file] if file in reach[other]) for file in self.files}
        return sorted((sorted(files) for files in found if len(files) > 1), key=lambda files: (-len(files), files))

    def check(self):
        wrong = []
        for circle in self.circles():
            wrong.append(f"{self.name}: a circle of {len(circle)} files: {', '.join(map(self.short, circle))}")
            wrong += [f"    {self.because(arrow)}" for arrow in sorted(self.arrows) if set(arrow) <= set(circle)]
        if self.name in ORDER:
            homeless = {self.top(file) for file in self.files} - self.place.keys()
            wrong += [f"{self.name}: the module {name} has no place in ORDER" for name in sorted(homeless)]
            wrong += [f"{self.name}: an arrow up: {self.because(arrow)}"
                      for arrow in sorted(self.arrows) if self.is_up(*map(self.top, arrow))]
        return wrong

    def graph(self):
        arrows = {(self.top(source), self.top(target)) for source, target in self.arrows}
        tops = {self.top(file) for file in self.files}
        tops = sorted(tops, key=lambda top: (self.place.get(top, len(self.place)), top))
        for top in tops:
            uses = [used + " (up)" * self.is_up(top, used) for used in tops if used != top and (top, used) in arrows]
            if uses or top not in ("lib", "main"):
                yield f"{top:{max(map(len, tops))}}  ->  {', '.join(uses) or '(nothing)'}"


def main(arguments):
    members = re.search(r"^members\s*=\s*\[(.*?)\]", (ROOT / "Cargo.toml").read_text(), re.M | re.S)[1]
    folders = [folder for member in re.findall(r'"([^"]+)"', members) for folder in sorted(ROOT.glob(member))]
    mode = arguments.pop(0) if arguments and arguments[0].startswith("-") else "--check"
    if mode not in ("--check", "--graph", "--files") or (mode != "--check" and len(arguments) != 1):
        sys.exit(__doc__)
    crates = [Crate(folder) for folder in folders if (folder / "src").is_dir()]
    if arguments:
        crates = [crate for crate in crates if {crate.name, crate.src.parent.name} & set(arguments)]
        if len(crates) < len(set(arguments)):
            sys.exit(f"not all of them are crates of this workspace: {' '.join(arguments)}")
    lines = []
    for crate in crates:
        if mode == "--files":
            lines += [crate.because(arrow) for arrow in sorted(crate.arrows)]
        else:
            lines += crate.graph() if mode == "--graph" else crate.check()
    print("\n".join(lines) or "No circles of files, and no arrows up.")
    return 1 if lines and mode == "--check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
