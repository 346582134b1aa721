"""Damage is found, named, and mended from the origin: only the damaged chunks are fetched."""
import sys
import unittest
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import MODEL, Case, big_file

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
        self.assertEqual([(f["status"], f["repaired"], f["bytes_received"]) for f in told["files"] if not f["derived"]],
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


class Derived(Case):
    """What was made here from a version's files is read by verify, and made again; opening finds what is cut or forged."""

    def add(self):
        packed = self.dir / "compressed.pth"
        with zipfile.ZipFile(MODEL / "digits-vgg11_bn.pth") as plain, zipfile.ZipFile(packed, "w") as out:
            for item in plain.infolist():
                out.writestr(item.filename, plain.read(item), zipfile.ZIP_DEFLATED)
        self.ok("add", packed, "--as", "digits", "--config", MODEL / "config.json")
        self.answer = self.ok("classify", "digits", self.sample())
        files = {p.name.split("-")[0]: p for p in (self.store / "derived").rglob("*-*-*")}
        self.assertEqual(sorted(files), ["packed", "tensor_index", "tensors"])
        self.good = {kind: path.read_bytes() for kind, path in files.items()}
        return files

    def put(self, path, data):
        path.unlink()
        path.write_bytes(data)
        path.chmod(0o400)

    def test_each_is_read_and_told(self):
        files = self.add()
        told = self.json("verify")["files"]
        self.assertEqual([f["derived"] for f in told], [False, True, True, True])
        self.assertEqual([f["path"] for f in told[1:]],
                         sorted(str(p.relative_to(self.store)) for p in files.values()))
        self.assertEqual([f["bytes"] for f in told[1:]], [len(self.good[k]) - 4096 for k in sorted(self.good)])
        self.ok("verify", "digits")
        self.assertIn("3 made here from them", self.notes)

    def test_flips_anywhere_are_found_and_made_again(self):
        files = self.add()
        for kind, path in files.items():
            size = len(self.good[kind])
            for at in (0, 9, 60, 150, 4000, 4096, 4096 + (size - 4096) // 2, size - 1):
                with self.subTest(kind=kind, at=at):
                    bad = bytearray(self.good[kind])
                    bad[at] ^= 0x10
                    self.put(path, bad)
                    result = self.run_raw("verify")
                    self.assertEqual(result.returncode, 65, result.stdout)
                    self.assertIn("BAD", result.stdout)
                    self.assertIn(path.name, result.stderr)
                    self.assertEqual(path.read_bytes(), bytes(bad))
                    told = [f for f in self.json("verify", "--repair")["files"] if f["repaired"]]
                    self.assertEqual([(f["status"], f["path"].split("/")[-1]) for f in told], [("OK", path.name)])
                    self.assertEqual(path.read_bytes(), self.good[kind])
        self.assertEqual(self.ok("classify", "digits", self.sample()), self.answer)

    def test_what_is_cut_or_has_another_header_is_made_again_at_opening(self):
        files = self.add()
        for kind, path in files.items():
            size = len(self.good[kind])
            other = self.good[kind][:24] + b"\0" * 32 + self.good[kind][56:]
            for data in [self.good[kind][:n] for n in (0, 100, 4095, 4096, size - 1)] + [other, self.good[kind] + b"x"]:
                with self.subTest(kind=kind, size=len(data)):
                    self.put(path, data)
                    self.assertEqual(self.ok("classify", "digits", self.sample()), self.answer)
                    self.assertEqual(path.read_bytes(), self.good[kind])

    def test_one_of_another_machine_or_release_is_removed(self):
        files = self.add()
        path = files["packed"]
        other = path.with_name("packed-999-elsewhere")
        other.write_bytes(self.good["packed"])
        other.chmod(0o400)
        self.assertEqual(self.run_raw("verify").returncode, 65)
        self.ok("verify", "--repair")
        self.assertFalse(other.exists())
        self.assertTrue(path.exists())

    def test_where_nothing_may_be_written_it_says_so(self):
        files = self.add()
        bad = self.good["tensors"][:-1] + b"\0"
        if bad == self.good["tensors"]:
            bad = self.good["tensors"][:-1] + b"\1"
        self.put(files["tensors"], bad)
        marker = self.store / "cistern.json"
        marker.chmod(0o600)
        marker.write_text(marker.read_text().replace('"write_features":[]', '"write_features":["later"]'))
        result = self.run_raw("verify", "--repair")
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn("later", result.stdout + result.stderr)
        self.assertEqual(files["tensors"].read_bytes(), bad)


if __name__ == "__main__":
    cli_support.main()
