#!/usr/bin/env python3
"""What bad input gets: the exact exit code, one line that says what to do, nothing lost and nothing half-written."""
import hashlib
import json
import os
import pathlib
import pickle
import signal
import subprocess
import zipfile

import cli_support
from cli_support import MODEL, small_vgg11


class Usage(cli_support.Case):
    def test_mistakes_in_the_command_are_2(self):
        for arguments in ([], ["frob"], ["pul", "x"], ["pull"], ["pull", "a", "b"], ["pull", "--frob", "a"], ["add", "x.pth"],
                          ["classify", "x"], ["classify", "a", "b", "--top", "0"], ["classify", "a", "b", "--top", "many"],
                          ["pull", "a", "--as"], ["show", "x", "--tensors=1"], ["ls", "--tries", "none"],
                          ["help", "frob"], ["-x"], ["ls", "--store", ""], ["add", "x.pth", "--as", "x", "--store="]):
            with self.subTest(arguments=arguments):
                self.fails(2, *arguments)
        self.fails(2, "pul", "x", says=["did you mean 'pull'"])
        self.fails(2, "list", says=["did you mean 'ls'"])

    def test_bad_references_are_2(self):
        self.add()
        self.fails(2, "show", "Digits", says=["digits"])  # the lower-case spelling is named
        for reference in ("digits:", "digits:a:b", "digits@sha256:12", "di gits", "digits//x", "-", "http", "digits:UP", "digits:01"):
            with self.subTest(reference=reference):
                self.fails(2, "show", "--", reference)

    def test_unknown_option_in_configuration_names_file_and_line(self):
        config = self.dir / "my.ini"
        config.write_text("tries = 3\nstroe = /x\n")
        self.env["CISTERN_CONFIG"] = str(config)
        self.fails(2, "ls", says=["my.ini:2", "stroe"])

    def test_a_line_of_configuration_is_whole_or_refused_with_its_place(self):
        config = self.dir / "my.ini"
        self.env["CISTERN_CONFIG"] = str(config)
        longest = "netrc = /" + "x" * (198 - len("netrc = /"))
        config.write_text("\n; one\n" + longest + "\r\ntries = 3\n")
        self.fails(2, "ls", says=["my.ini:3", "199 bytes", "at most 198"])  # with the carriage return
        config.write_text("\n; one\n" + longest + "\ntries = 3")
        told = {o["name"]: (o["value"], o["source"]) for o in self.json("config")["options"]}
        self.assertEqual(told["netrc"], (longest[8:], str(config) + ":3"))
        self.assertEqual(told["tries"], ("3", str(config) + ":4"))
        config.write_text("tries = 3\n\n" + longest + "x\n")
        self.fails(2, "ls", says=["my.ini:3", "199 bytes"])
        config.write_text("tries = 3\nnothing\n")
        self.fails(2, "ls", says=["my.ini:2", "'name = value' is expected"])
        config.write_text("tries = 3\n[mirror]\n; a\nhttps://a.example/ = https://b.example/\n")
        self.assertIn(str(config) + ":4", self.ok("config"))

    def test_other_addresses_are_refused_by_name(self):
        for address in ("gs://bucket/x.pth", "hf:org/model"):
            self.fails(2, "pull", address, "--as", "x")


class NotFound(cli_support.Case):
    def test_no_such_file_says_which_command_fetches_it(self):
        self.fails(3, "classify", "./vgg16_pretrained.pth", self.sample(), says=["no such file", "cistern pull"])
        self.fails(3, "add", "./gone.pth", "--as", "x", says=["gone.pth"])
        self.fails(3, "pull", "./gone.pth", "--as", "x", says=["gone.pth"])

    def test_unknown_model(self):
        self.fails(3, "classify", "nothing", self.sample(), says=["nothing", "cistern pull"])
        self.add()
        for verb in (["classify", "digit", self.sample()], ["show", "digit"], ["path", "digit"], ["history", "digit"],
                     ["tag", "digit", "x"], ["rollback", "digit"], ["verify", "digit"], ["rm", "digit:1"], ["pull", "digit"]):
            with self.subTest(verb=verb):
                self.fails(3, *verb, says=["digit"])

    def test_unknown_version_lists_those_that_exist(self):
        self.add()
        self.add(version="v2")
        self.fails(3, "classify", "digits:9", self.sample(), says=["9", "1", "2", "latest"])

    def test_nothing_to_roll_back_to(self):
        self.add()
        self.fails(3, "rollback", "digits")
        self.fails(3, "rollback", "digits:production", says=["production"])

    def test_missing_image(self):
        self.add()
        self.fails(3, "classify", "digits", "gone.png", says=["gone.png"])


class Remote(cli_support.Case):
    def pull(self, code, *more, says=()):
        return self.fails(code, "pull", self.server.url + "digits.pth", "--as", "digits", "--tries", "1", *more, says=says)

    def setUp(self):
        super().setUp()
        self.publish()
        self.server = self.origin()

    def test_answers_of_the_server(self):
        for answer, code in ((404, 3), (410, 3), (401, 6), (403, 6), (500, 5), (503, 5)):
            with self.subTest(answer=answer):
                self.server.fault("*", status=answer)
                self.pull(code, says=[str(answer)])

    def test_host_not_found(self):
        self.fails(5, "pull", "http://no-such-host.invalid/x.pth", "--as", "x", "--tries", "1", says=["no-such-host.invalid"])

    def test_nobody_listens(self):
        self.fails(5, "pull", "http://127.0.0.1:1/x.pth", "--as", "x", "--tries", "1", says=["127.0.0.1"])

    def test_redirect_without_end(self):
        self.server.fault("/digits.pth", redirect_loop=True)
        self.pull(5)

    def test_wrong_sha256_shows_both(self):
        expected = "0" * 64
        found = hashlib.sha256((self.root / "digits.pth").read_bytes()).hexdigest()
        self.pull(65, "--sha256", expected, says=[expected, found])
        self.assertEqual(self.partials(), {})
        self.pull(2, "--sha256", "123")

    def test_wrong_digest_in_the_name_names_the_option(self):
        self.publish(name="digits-01234567.pth")
        url = self.server.url + "digits-01234567.pth"
        self.fails(65, "pull", url, "--as", "digits", says=["01234567", "--ignore-name-digest"])
        self.assertEqual(self.partials(), {})
        self.ok("pull", url, "--as", "digits", "--ignore-name-digest")

    def test_html_page_saved_as_pth(self):
        self.server.fault("/digits.pth", html=True)
        self.pull(66, says=["HTML"])

    def test_offline_and_not_here(self):
        self.pull(4, "--offline", says=["offline"])
        self.assertEqual(self.server.stats()["requests"], 0)


class Files(cli_support.Case):
    def refused(self, name, *more, says=(), code=66):
        self.fails(code, "classify", "./" + name, self.sample(), *more, says=says)
        self.fails(code, "add", "./" + name, "--as", "x", *more, says=says)
        self.fails(code, "pull", "./" + name, "--as", "x", *more, says=says)
        self.assertEqual(self.json("ls"), {"versions": []})

    def test_truncated(self):
        whole = (MODEL / "digits-vgg11_bn.pth").read_bytes()
        (self.dir / "cut.pth").write_bytes(whole[:len(whole) * 2 // 3])
        self.refused("cut.pth", says=["cut.pth"])

    def test_empty(self):
        (self.dir / "empty.pth").write_bytes(b"")
        self.refused("empty.pth", says=["empty.pth"])

    def test_code_in_a_pickle_is_named_and_never_run(self):
        class Evil:
            def __reduce__(self):
                return os.system, ("touch " + str(flag),)

        flag = self.dir / "was-run"
        with zipfile.ZipFile(self.dir / "evil.pth", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"features.0.weight": Evil()}, protocol=2))
            archive.writestr("archive/version", "3\n")
        self.refused("evil.pth", says=["system"])
        self.assertFalse(flag.exists())

    def test_html_page(self):
        (self.dir / "page.pth").write_text("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n")
        self.refused("page.pth", says=["HTML"])

    def test_git_lfs_pointer(self):
        (self.dir / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 553433881\n"
                                              % ("0" * 64))
        self.refused("pointer.pth", says=["LFS"])

    def test_directory(self):
        (self.dir / "folder.pth").mkdir()
        result = self.run_raw("classify", "./folder.pth", self.sample())
        self.assertIn(result.returncode, (2, 65, 66))
        self.assertRegex(result.stderr, r"\Acistern: [^\n]+\n\Z")

    def wrong(self, change, says):
        small_vgg11(self.dir / "odd.safetensors", change=change)
        self.fails(66, "classify", "./odd.safetensors", self.sample(), says=says)
        self.fails(66, "add", "./odd.safetensors", "--as", "odd", "--arch", "vgg11", says=says)
        self.assertEqual(self.json("ls"), {"versions": []})
        # Without --arch any weight file is stored, with a warning; running it is refused with the same words.
        self.ok("add", "./odd.safetensors", "--as", "odd")
        self.assertIn("warning", self.notes)
        self.assertEqual(self.json("show", "odd")["facts"]["architecture"], "unknown")
        self.fails(66, "classify", "odd", self.sample(), says=says)

    def test_a_file_without_a_classifier_is_for_features(self):
        def change(shapes):
            for name in [n for n in shapes if n.startswith("classifier.")]:
                shapes.pop(name)
        small_vgg11(self.dir / "notop.safetensors", change=change)
        self.ok("add", "./notop.safetensors", "--as", "notop", "--arch", "vgg11")
        facts = self.json("show", "notop")["facts"]
        self.assertEqual((facts["architecture"], facts["head"], facts["classes"]), ("vgg11", "none", 0))
        self.assertIn("none: features only", self.ok("show", "notop"))
        for model in ("notop", "./notop.safetensors"):
            self.fails(66, "classify", model, self.sample(), says=["head: none", "cistern features"])

    def test_missing_tensor_is_named(self):
        self.wrong(lambda shapes: shapes.pop("features.8.weight"), ["features.8.weight"])

    def test_wrong_shape_is_named_with_both_shapes(self):
        def change(shapes):
            shapes["features.8.weight"] = (32, 31, 3, 3)
        self.wrong(change, ["features.8.weight", "31", "32"])

    def test_image_that_is_none(self):
        self.add()
        (self.dir / "note.jpg").write_text("this is a text\n")
        self.fails(66, "classify", "digits", "note.jpg", says=["note.jpg"])
        whole = pathlib.Path(self.sample()).read_bytes()
        (self.dir / "cut.png").write_bytes(whole[:len(whole) // 2])
        self.fails(66, "classify", "digits", "cut.png", says=["cut.png"])
        (self.dir / "page.gif").write_bytes(b"GIF89a\1\0\1\0\0\0\0;")
        self.fails(66, "classify", "digits", "page.gif", says=["GIF"])

    def test_a_config_as_long_as_allowed_and_one_byte_more(self):
        config = self.dir / "long.json"
        for size, code in ((1 << 20, 0), ((1 << 20) + 1, 65)):
            config.write_text((MODEL / "config.json").read_text().ljust(size))
            arguments = ("add", MODEL / "digits-vgg11_bn.pth", "--as", f"long{code}", "--config", config)
            if code == 0:
                self.ok(*arguments)
            else:
                self.fails(code, *arguments, says=["1048577 bytes, at most 1048576 allowed"])

    def test_bad_facts(self):
        self.fails(2, "add", MODEL / "digits-vgg11_bn.pth", "--as", "x", "--arch", "resnet50", says=["resnet50", "vgg16"])
        self.fails(2, "add", MODEL / "digits-vgg11_bn.pth", "--as", "x", "--preprocess", "caffe9", says=["caffe9"])
        self.fails(3, "add", MODEL / "digits-vgg11_bn.pth", "--as", "x", "--labels", "gone.txt", says=["gone.txt"])


class Stores(cli_support.Case):
    def test_newer_format(self):
        self.ok("init")
        document = json.loads((self.store / "cistern.json").read_text())
        document["format"] = 2
        (self.store / "cistern.json").chmod(0o600)
        (self.store / "cistern.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
        for verb in (["ls"], ["show", "x"], ["add", MODEL / "digits-vgg11_bn.pth", "--as", "x"]):
            self.fails(65, *verb, says=["format"])

    def test_unknown_feature_is_refused_by_name(self):
        self.ok("init")
        document = json.loads((self.store / "cistern.json").read_text())
        (self.store / "cistern.json").chmod(0o600)
        document["read_features"] = ["holograms"]
        (self.store / "cistern.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
        self.fails(65, "ls", says=["holograms"])
        document.update(read_features=[], write_features=["holograms"])
        (self.store / "cistern.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
        self.ok("ls")
        result = self.run_raw("add", MODEL / "digits-vgg11_bn.pth", "--as", "x")
        self.assertIn(result.returncode, (65, 77))
        self.assertIn("holograms", result.stderr)

    def test_directory_that_is_no_store(self):
        self.store.mkdir()
        (self.store / "precious.txt").write_text("mine")
        for verb in (["init"], ["ls"], ["add", MODEL / "digits-vgg11_bn.pth", "--as", "x"]):
            self.fails(65, *verb, says=[str(self.store)])
        self.assertEqual(os.listdir(self.store), ["precious.txt"])

    def test_damaged_blob_is_65(self):
        self.add()
        path = pathlib.Path(self.ok("path", "digits").rstrip("\n"))
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-100])
        path.chmod(0o400)
        result = self.run_raw("classify", "digits", self.sample())
        self.assertEqual(result.returncode, 65, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_conflicts(self):
        self.add()
        self.add(version="v2")
        self.ok("add", MODEL / "digits-vgg11_bn.pth", "--as", "digits:spring", "--preprocess", "torchvision")
        self.fails(7, "tag", "digits:1", "spring", says=["spring"])
        self.fails(2, "tag", "digits:1", "2", says=["2"])
        self.ok("rollback", "digits")
        self.fails(7, "tag", "digits:1", "latest", "--expect", "1", says=["2"])
        self.fails(7, "add", MODEL / "v2/digits-vgg11_bn.pth", "--as", "digits:1", says=["1"])
        self.fails(7, "rm", "digits:2", says=["latest"])

    def test_import_program_missing_is_1(self):
        self.fails(1, "add", MODEL / "digits-vgg11_bn.pth", "--as", "x", "--import-program", "/nonexistent/import",
                   says=["installation incomplete"])


class Output(cli_support.Case):
    def test_full_disk_behind_standard_output(self):
        for verb in (["version"], ["help"], ["config"], ["config", "--json"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([cli_support.BIN, *verb], stdout=full, stderr=subprocess.PIPE, text=True, env=self.env)
            self.assertEqual(result.returncode, 8)
            self.assertEqual(result.stderr, "cistern: cannot write to standard output: No space left on device\n")

    def test_closed_standard_output_is_an_error_and_no_file_gets_the_data(self):
        self.add()
        for closed in (">&-", "<&- >&-"):
            result = subprocess.run(["sh", "-c", '"$0" ls %s' % closed, cli_support.BIN], stderr=subprocess.PIPE, text=True,
                                    env=self.env)
            self.assertEqual(result.returncode, 1)
            self.assertIn("standard output", result.stderr)
        before = self.published()
        result = subprocess.run(["sh", "-c", '"$0" add "$1" --as other <&- >&- 2>&-', cli_support.BIN,
                                 str(MODEL / "v2/digits-vgg11_bn.pth")], env=self.env)
        self.assertEqual(result.returncode, 1)  # the reference could not be printed; the store is whole
        self.assertGreater(set(self.published()), set(before))
        self.ok("verify")

    def test_reader_of_messages_that_has_gone_stops_nothing(self):
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([cli_support.BIN, "add", str(MODEL / "digits-vgg11_bn.pth"), "--as", "digits"], stderr=write,
                                stdout=subprocess.PIPE, text=True, env=self.env)
        os.close(write)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, cli_support.REFERENCE)

    def test_reader_that_has_gone_ends_it_quietly(self):
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([cli_support.BIN, "help"], stdout=write, stderr=subprocess.PIPE, text=True, env=self.env)
        os.close(write)
        self.assertEqual(result.returncode, -signal.SIGPIPE)
        self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    cli_support.main()
