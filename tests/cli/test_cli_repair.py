"""Damage is found, named, and mended from the origin: only the damaged chunks are fetched."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case, big_file

CHUNK = 4 << 20


class Repair(Case):
    def pull(self, mib=21):
        self.server = self.origin()
        big_file(self.root / "big.safetensors", mib)
        self.good = (self.root / "big.safetensors").read_bytes()
        self.ok("pull", self.server.url + "big.safetensors", "--as", "big")
        self.blob = Path(self.ok("path", "big").strip())

    def damage(self, *offsets):
        self.blob.chmod(0o600)
        with open(self.blob, "r+b") as file:
            for offset in offsets:
                file.seek(offset)
                byte = file.read(1)
                file.seek(offset)
                file.write(bytes([byte[0] ^ 0x40]))
        self.blob.chmod(0o400)

    def test_only_the_damaged_chunk_is_fetched(self):
        self.pull()
        self.damage(2 * CHUNK + 17)
        inode = self.blob.stat().st_ino
        result = self.run_raw("verify", "--json")
        self.assertEqual(result.returncode, 65)
        self.server.reset()
        told = self.json("verify", "--repair")
        self.assertEqual(self.server.stats()["bytes"], CHUNK)
        self.assertTrue(told["ok"])
        self.assertEqual([(f["status"], f["repaired"], f["bytes_received"]) for f in told["files"]],
                         [("OK", True, CHUNK)])
        self.assertEqual(self.blob.read_bytes(), self.good)
        self.assertNotEqual(self.blob.stat().st_ino, inode)
        self.assertEqual([p.name for p in (self.store / "damaged").iterdir()], ["%s.%d" % (self.blob.name, inode)])
        self.assertEqual(self.partials(), {})
        self.assertIn("all as they were published", (self.ok("verify"), self.notes)[1])
        self.assertFalse(self.json("verify", "--repair")["files"][0]["repaired"])

    def test_several_chunks_the_short_last_one_among_them(self):
        self.pull()
        self.damage(0, len(self.good) - 1)
        text = self.ok("verify", "--repair")
        self.assertIn("repaired", text)
        self.assertIn("damaged/", self.notes)
        self.assertEqual(self.blob.read_bytes(), self.good)

    def test_a_cut_file_and_one_that_is_gone(self):
        self.pull()
        self.blob.chmod(0o600)
        with open(self.blob, "r+b") as file:
            file.truncate(3 * CHUNK + 5)
        told = self.json("verify", "--repair")["files"][0]
        self.assertEqual((told["status"], told["bytes_received"]), ("OK", len(self.good) - 3 * CHUNK))
        self.blob.unlink()
        told = self.json("verify", "--repair")["files"][0]
        self.assertEqual((told["status"], told["bytes_received"]), ("OK", len(self.good)))
        self.assertEqual(self.blob.read_bytes(), self.good)

    def test_an_origin_with_other_bytes_repairs_nothing(self):
        self.pull()
        self.damage(CHUNK)
        bad = self.blob.read_bytes()
        big_file(self.root / "big.safetensors", 21, seed=2)
        result = self.run_raw("verify", "--repair")
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn("cannot repair big:1", result.stdout + result.stderr)
        self.assertEqual(self.blob.read_bytes(), bad)

    def test_without_an_origin_or_a_network_it_says_so(self):
        self.pull(5)
        self.damage(9)
        result = self.run_raw("verify", "--repair", "--offline")
        self.assertEqual(result.returncode, 65)
        self.assertIn("offline", result.stdout + result.stderr)
        line = self.ok("add", big_file(self.dir / "own.safetensors", 5, seed=3), "--as", "own").strip()
        self.blob = Path(self.ok("path", line).strip())
        self.damage(9)
        result = self.run_raw("verify", "own:1", "--repair")
        self.assertEqual(result.returncode, 65)
        self.assertIn("no recorded origin", result.stdout + result.stderr)

    def test_a_pull_of_a_damaged_file_heals_it(self):
        self.pull(5)
        self.damage(9)
        inode = self.blob.stat().st_ino
        told = self.json("pull", self.server.url + "big.safetensors", "--as", "big")
        self.assertIn("counts as absent", self.notes)
        self.assertEqual((told["outcome"], told["tag"]), ("same", "1"))
        self.assertEqual(self.blob.read_bytes(), self.good)
        self.assertTrue((self.store / "damaged" / ("%s.%d" % (self.blob.name, inode))).exists())
        self.assertEqual(self.json("pull", self.server.url + "big.safetensors", "--as", "big")["outcome"], "hit")


if __name__ == "__main__":
    cli_support.main()
