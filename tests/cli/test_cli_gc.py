"""Collecting: what nothing refers to goes, what is referred to never, whoever runs and is killed beside it."""
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support
from cli_support import Case, safetensors

NOW = ("--keep-removed", "0", "--keep-partial", "0")


class Gc(Case):
    def weights(self, seed, kib=64):
        path = self.dir / ("w%d.safetensors" % seed)
        return safetensors(path, {"weight": ((kib << 8,), random.Random(seed).randbytes(kib << 10))})

    def put(self, seed, name="m"):
        """Its reference NAME:VERSION and the digest."""
        line = self.ok("add", self.weights(seed), "--as", name).strip()
        reference, digest = line.split("@sha256:")
        return reference, digest

    def blobs(self):
        return {p.name for p in (self.store / "blobs").rglob("*") if p.is_file()}

    def chunks(self):
        return {p.name for p in (self.store / "chunks").rglob("*") if p.is_file()}

    def derived(self):
        return {p.name for p in (self.store / "derived").iterdir() if p.is_dir()}

    def test_an_absent_store_has_nothing_to_collect(self):
        self.assertEqual(self.ok("gc"), "")
        self.assertIn("nothing to delete", self.notes)
        self.assertFalse(self.store.exists())

    def test_removed_version_keeps_its_bytes_for_a_while(self):
        one, first = self.put(1)
        two, second = self.put(2)
        self.ok("rm", one)
        result = self.json("gc")
        self.assertEqual((result["items"], result["removed_versions_kept"], result["versions_kept"]), ([], 1, 2))
        self.assertEqual(self.blobs(), {first, second})
        self.assertIn("1 removed version is still kept", (self.ok("gc"), self.notes)[1])

    def test_bytes_go_with_chunk_list_and_derived_files(self):
        one, first = self.put(1)
        two, second = self.put(2)
        self.ok("rm", one)
        dry = self.json("gc", "--dry-run", *NOW)
        self.assertEqual([(i["kind"], i["name"], i["in_use"]) for i in dry["items"]], [("blob", first, False)])
        self.assertTrue(dry["dry_run"])
        self.assertEqual(self.blobs(), {first, second})
        done = self.json("gc", *NOW)
        self.assertEqual(done["items"], dry["items"])
        self.assertGreater(done["bytes"], 64 << 10)
        self.assertEqual(self.blobs(), {second})
        self.assertEqual(self.chunks(), {second})
        self.assertEqual(self.derived(), {second})
        self.assertEqual(list((self.store / "gc" / "condemned").iterdir()), [])
        self.ok("verify")
        self.ok("show", two)
        self.assertEqual(self.json("gc", *NOW)["items"], [])

    def test_bytes_of_another_live_version_stay(self):
        one, first = self.put(1)
        other = self.ok("add", self.weights(1), "--as", "other").strip()
        self.ok("rm", one, "--force")
        self.assertEqual(self.json("gc", *NOW)["items"], [])
        self.assertEqual(self.blobs(), {first})
        self.ok("verify", other)

    def test_a_pin_keeps_what_was_removed(self):
        one, first = self.put(1)
        self.put(2)
        self.assertIn("is pinned", (self.ok("pin", one, "--why", "release"), self.notes)[1])
        self.assertFalse(self.json("pin", one)["pinned"][0]["new"])
        self.ok("rm", one)
        self.assertEqual(self.json("gc", *NOW)["items"], [])
        self.ok("unpin", one)
        self.fails(3, "unpin", one, says=["not pinned"])
        self.assertEqual([i["name"] for i in self.json("gc", *NOW)["items"]], [first])
        self.fails(3, "pin", one, says=["removed"])

    def test_an_unreadable_document_ends_it_before_anything_is_deleted(self):
        one, first = self.put(1)
        two, second = self.put(2)
        self.ok("rm", one)
        path = self.store / "models" / "m" / "versions" / "2.json"
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-20])
        result = self.run_raw("gc", *NOW)
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertIn("versions/2.json", result.stderr)
        self.assertEqual(self.blobs(), {first, second})
        (self.store / "models" / "m" / "model.json").unlink()
        self.assertEqual(self.run_raw("gc", *NOW).returncode, 65)
        self.assertEqual(self.blobs(), {first, second})

    def test_what_a_reader_holds_is_left(self):
        one, first = self.put(1)
        self.put(2)
        path = self.ok("path", one).strip()
        self.ok("rm", one)
        with open(path, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH)
            result = self.json("gc", *NOW)
            self.assertEqual([(i["name"], i["in_use"]) for i in result["items"]], [(first, True)])
            self.assertEqual((result["bytes"], result["in_use"]), (0, 1))
        self.assertIn(first, self.blobs())
        self.assertEqual([i["in_use"] for i in self.json("gc", *NOW)["items"]], [False])

    def test_unfinished_fetches_go_when_they_are_old(self):
        _, key = self.put(1)
        directory = self.store / "partial" / key
        directory.mkdir()
        (directory / "1.data").write_bytes(bytes(100000))
        (directory / "1.journal").write_bytes(b"torn")
        self.assertEqual(self.json("gc")["items"], [])
        old = time.time() - 8 * 86400
        for path in (directory / "1.data", directory / "1.journal", directory):
            os.utime(path, (old, old))
        self.assertEqual([i["kind"] for i in self.json("gc", "-n")["items"]], ["partial"])
        items = self.json("gc")["items"]
        self.assertEqual([(i["kind"], i["name"]) for i in items], [("partial", key)])
        self.assertGreaterEqual(items[0]["bytes"], 100000)
        self.assertFalse(directory.exists())

    def test_stamps_from_nowhere_hurt_nobody(self):
        one, first = self.put(1)
        self.put(2)
        self.ok("rm", one)
        directory = self.store / "partial" / first
        directory.mkdir()
        (directory / "1.data").write_bytes(bytes(5000))
        for stamp in (-(1 << 31), 0, (1 << 33)):
            for path in (directory / "1.data", directory, self.store / "models" / "m" / "removed" / "1.json"):
                os.utime(path, (stamp, stamp))
            self.assertEqual(len(self.json("gc", "-n")["items"]), 0 if stamp > 0 else 2)
        self.assertIn(first, self.blobs())

    def test_temporaries_of_the_killed_and_derived_files_of_the_gone(self):
        self.put(1)
        temporary = self.store / "models" / "m" / "versions" / (".tmp-" + "0" * 32)
        temporary.write_text("half a docu")
        gone = self.store / "derived" / ("ab" * 32)
        gone.mkdir()
        (gone / "packed-1-any").write_bytes(bytes(5000))
        self.assertEqual(self.json("gc")["items"], [])
        trial = self.store / "gc" / ("doctor-" + "1" * 32)
        trial.mkdir(parents=True)
        (trial / "bandwidth").write_bytes(bytes(5000))
        kinds = sorted(i["kind"] for i in self.json("gc", *NOW)["items"])
        self.assertEqual(kinds, ["derived", "temporary", "temporary"])
        self.assertFalse(trial.exists())
        self.assertFalse(temporary.exists() or gone.exists())

    def marker(self, digest, text):
        directory = self.store / "gc" / "condemned"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / (digest + "." + "1" * 32)
        path.write_text(text)
        return path

    def test_the_marker_of_a_killed_collector_stops_nobody(self):
        one, first = self.put(1)
        self.put(2)
        self.ok("rm", one)
        # a collector that is killed as soon as it has condemned something
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = int(Path("/proc/%d/stat" % process.pid).read_text().rsplit(")", 1)[1].split()[19])
        text = ('{"boot_id":"%s","machine_id":"","pid":%d,"pid_ns":%d,"since":"","start_time":%d,"who":""}\n' %
                (boot, process.pid, os.stat("/proc/self/ns/pid").st_ino, start))
        path = self.marker(first, text)
        waiting = self.start("add", self.weights(1), "--as", "again", "--json")
        time.sleep(0.5)
        self.assertIsNone(waiting.poll(), "it does not wait for a collector that lives")
        process.kill()
        process.wait()
        out, err = waiting.communicate(timeout=cli_support.PATIENCE)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertFalse(path.exists())
        self.marker(first, text)
        self.assertEqual(self.json("gc", *NOW)["items"], [])
        self.assertEqual(list((self.store / "gc" / "condemned").iterdir()), [])
        self.ok("verify", "again")

    def test_a_marker_whose_owner_is_unknown_stops_nobody_after_an_hour(self):
        one, first = self.put(1)
        path = self.marker(first, "not JSON")
        old = time.time() - 3700
        os.utime(path, (old, old))
        self.ok("add", self.weights(1), "--as", "again")
        self.assertFalse(path.exists())

    def test_stats_counts_by_kind(self):
        self.assertEqual(self.json("stats")["versions"], 0)
        one, first = self.put(1)
        self.put(2)
        self.put(3, "other")
        self.ok("rm", one)
        stats = self.json("stats", "--keep-removed", "0")
        self.assertEqual((stats["models"], stats["versions"], stats["blobs"]), (2, 2, 3))
        size = (self.dir / "w1.safetensors").stat().st_size
        self.assertEqual(stats["blob_bytes"], 3 * size)
        self.assertGreaterEqual(stats["removable_bytes"], size)
        self.assertEqual(self.json("stats")["removable_bytes"], 0)
        self.assertEqual(self.json("stats")["removed_versions_kept"], 1)
        self.assertGreater(stats["free_bytes"], 0)
        self.assertRegex(self.ok("stats"), r"(?m)^removable +0 B")

    def test_durations_are_checked(self):
        self.fails(2, "gc", "--keep-removed", "soon", says=["duration", "7d"])
        self.fails(2, "gc", "--keep-removed", "7dd", says=["duration"])
        self.assertEqual(self.json("gc", "--keep-removed", "12h")["items"], [])


class Stress(Case):
    """Many processes pull, add, remove and collect on one store, and are killed at any moment."""
    SEEDS = 6

    def setUp(self):
        super().setUp()
        self.random = random.Random(20260131)
        self.files = []
        for seed in range(self.SEEDS):
            path = self.root / ("w%d.safetensors" % seed)
            safetensors(path, {"weight": ((32 << 8,), random.Random(seed).randbytes(32 << 10))})
            self.files.append(path)

    def command(self, server):
        seed = self.random.randrange(self.SEEDS)
        kind = self.random.randrange(10)
        if kind < 3:
            return ["gc", *NOW]
        if kind < 6:
            return ["add", self.files[seed], "--as", "m%d" % seed]
        if kind < 8:
            return ["pull", server.url + "w%d.safetensors" % seed, "--as", "m%d" % self.random.randrange(self.SEEDS)]
        return ["rm", "m%d" % seed, "--all", "--force"]

    def check_told(self, reference):
        """What was reported is there, unless it has been removed since."""
        version, digest = reference.split("@sha256:")
        name, tag = version.split(":")
        blob = self.store / "blobs" / "sha256" / digest[:2] / digest
        if not blob.exists():
            self.assertTrue((self.store / "models" / name / "removed" / (tag + ".json")).exists(),
                            "%s was reported, and its bytes are gone" % reference)
        self.told += 1

    def check_live(self):
        """Every live version has its bytes, and they are right."""
        result = self.run_raw("verify")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_nothing_referred_to_is_lost_and_everything_else_goes(self):
        server = self.origin()
        self.ok("init")
        running, ended, self.told = [], {}, 0
        self.addCleanup(lambda: [process.kill() or process.communicate() for _, process in running])
        until = time.monotonic() + (8 if not os.environ.get("CISTERN_TEST_SANITIZE") else 20)
        while time.monotonic() < until:
            while len(running) < 8:
                command = self.command(server)
                running.append((command, self.start(*command)))
            time.sleep(self.random.uniform(0, 0.02))
            if self.random.random() < 0.15:
                self.random.choice(running)[1].send_signal(signal.SIGKILL)
            for command, process in list(running):
                if process.poll() is None:
                    continue
                running.remove((command, process))
                out, err = process.communicate()
                ended[process.returncode] = ended.get(process.returncode, 0) + 1
                # 3: removed meanwhile; 7: another did the same or the opposite at that moment
                self.assertIn(process.returncode, (0, 3, 7, -signal.SIGKILL), (command, err))
                if process.returncode == 0 and command[0] in ("add", "pull"):
                    self.check_told(out.split()[-1])
            if self.random.random() < 0.02:
                for _, process in running:
                    process.send_signal(signal.SIGKILL)
        for _, process in running:
            process.communicate()
        self.assertGreater(ended.get(0, 0), 20, ended)
        self.assertGreater(ended.get(-signal.SIGKILL, 0), 3, ended)
        self.assertGreater(self.told, 10)
        self.check_live()
        self.ok("gc", *NOW)
        self.check_live()
        live = set()
        for version in self.json("ls")["versions"]:
            live.add(version["digest"])
        found = {p.name for p in (self.store / "blobs").rglob("*") if p.is_file()}
        self.assertEqual(found, live)
        self.assertEqual({p.name for p in (self.store / "chunks").rglob("*") if p.is_file()}, live)
        self.assertEqual([p for p in (self.store / "partial").iterdir() if p.is_dir()], [])
        self.assertEqual(list((self.store / "gc" / "condemned").iterdir()), [])
        self.assertEqual(self.temporaries(), [])


if __name__ == "__main__":
    cli_support.main()
