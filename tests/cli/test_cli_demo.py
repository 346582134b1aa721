#!/usr/bin/env python3
"""./demo with the program under test: it works, says what it promises, and can be repeated in a store that is kept."""
import re
import subprocess

import cli_support


class Demo(cli_support.Case):
    def demo(self, *arguments):
        result = subprocess.run([str(cli_support.TOP / "demo"), "--program", cli_support.BIN, *arguments], env=self.env,
                                cwd=self.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=2 * cli_support.PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_first_transfers_then_nothing_then_update_then_nothing(self):
        text = self.demo()
        counts = [(int(r), int(b)) for r, b in re.findall(r"the server counted: (\d+) requests, (\d+) bytes", text)]
        self.assertEqual(len(counts), 4)
        self.assertGreater(counts[0][1], 10 ** 6)
        self.assertEqual(counts[1], (0, 0))
        self.assertGreater(counts[2][1], 10 ** 6)
        self.assertEqual(counts[3], (0, 0))
        self.assertIn("all ten samples: 10 of 10", text)
        self.assertTrue(text.endswith("\ndone\n"))
        self.assertFalse(self.store.exists())

    def test_repeated_in_a_store_that_is_kept(self):
        for _ in range(2):
            self.demo("kept")
        self.env["CISTERN_STORE"] = str(self.dir / "kept")
        self.assertEqual(sorted({v["name"] for v in self.json("ls")["versions"]}), ["digits", "digits-2"])


if __name__ == "__main__":
    cli_support.main()
