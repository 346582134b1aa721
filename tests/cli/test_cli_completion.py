"""Completion scripts: right for their shells, and complete."""
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case


class Completion(Case):
    def script(self, shell):
        path = self.dir / ("cistern." + shell)
        path.write_text(self.ok("completion", shell))
        return path

    def verbs(self):
        text = self.ok("help").split("Verbs\n")[1].split("\n\n")[0]
        return [line.split()[0] for line in text.splitlines()]

    def options(self, *verb):
        text = self.ok("help", *verb)
        return re.findall(r"(?m)^ +(?:-., )?(--[a-z0-9-]+)", text)

    def complete(self, script, *words):
        """What bash offers for the last word."""
        quoted = " ".join("'%s'" % word for word in words)
        program = ("source '%s'; COMP_WORDS=(cistern %s); COMP_CWORD=%d; _cistern; printf '%%s\\n' \"${COMPREPLY[@]}\"" %
                   (script, quoted, len(words)))
        result = subprocess.run(["bash", "--norc", "-u", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, timeout=cli_support.PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def test_bash_completes_verbs_and_options(self):
        script = self.script("bash")
        subprocess.run(["bash", "-n", str(script)], check=True)
        verbs = self.verbs()
        self.assertGreater(len(verbs), 20)
        self.assertEqual(sorted(self.complete(script, "")), sorted(verbs))
        self.assertEqual(self.complete(script, "cla"), ["classify"])
        self.assertEqual(self.complete(script, "--store", "/tmp/x", "-q", "cla"), ["classify"])
        self.assertEqual(self.complete(script, "help", "cla"), ["classify"])
        self.assertEqual(self.complete(script, "completion", "z"), ["zsh"])
        self.assertEqual(self.complete(script, "classify", "vgg16", "--to"), ["--top", "--torch-home"])
        common = self.options()
        for verb in verbs:
            wanted = set(self.options(verb)) | set(common)
            self.assertEqual(set(self.complete(script, verb, "--")), wanted, verb)

    def test_zsh_and_fish_name_everything(self):
        for shell, verb_text, option_text in (("zsh", "'%s:", "--%s"), ("fish", "-a %s -d", "-l %s ")):
            text = self.script(shell).read_text()
            for verb in self.verbs():
                self.assertIn(verb_text % verb, text)
                for option in self.options(verb):
                    self.assertIn(option_text % option[2:], text)

    def test_zsh_and_fish_can_parse_theirs(self):
        some = False
        for shell in ("zsh", "fish"):
            script = self.script(shell)
            if shutil.which(shell):
                some = True
                subprocess.run([shell, "-n", str(script)], check=True)
        if not some:
            self.skipTest("neither zsh nor fish is installed")

    def test_another_shell_is_refused(self):
        self.fails(2, "completion", "tcsh", says=["bash, zsh and fish"])


if __name__ == "__main__":
    cli_support.main()
