/* Mappings of files: where they begin, what the kernel maps them with; and that large files are written so that it can. */
#include "block_watch.h"
#include "cistern_test.h"
#include "base_disk.h"
#include "base_file.h"
#include "base_map.h"
#include "base_scratch.h"
#include "base_write.h"
#include "temp_dir.h"

#define BLOCK ((size_t)BASE_DISK_BLOCK)
#define LARGE (3 * BLOCK + 12345)

static int setup(void **state)
{
    temp_dir *t = calloc(1, sizeof *t);
    temp_dir_make(t);
    watch_reset();
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

static unsigned char *some_bytes(size_t n)
{
    unsigned char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 12));
    return bytes;
}

/* Written without regard to blocks. */
static int write_plainly(const temp_dir *t, const char *name, const unsigned char *bytes, size_t n)
{
    cistern_error err = CISTERN_ERROR_INIT;
    int fd = openat(t->fd, name, O_RDWR | O_CREAT, 0600);
    for (size_t at = 0; at < n; at += 100000)
        assert_ok(base_pwrite_full(fd, bytes + at, n - at < 100000 ? n - at : 100000, at, &err), &err);
    return fd;
}

static ino_t inode_of(const temp_dir *t, const char *name)
{
    struct stat st;
    assert_int_equal(fstatat(t->fd, name, &st, 0), 0);
    return st.st_ino;
}

static void a_mapping_is_the_file(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    const size_t sizes[] = {0, 1, 4096, 4097, BLOCK - 1, BLOCK, LARGE};
    unsigned char *bytes = some_bytes(LARGE);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[16];
        base_map map;
        snprintf(name, sizeof name, "f%zu", i);
        int fd = write_plainly(t, name, bytes, sizes[i]);
        assert_ok(base_map_fd(fd, &map, &err), &err);
        close(fd);
        assert_int_equal(map.size, sizes[i]);
        if (sizes[i] == 0)
            assert_null(map.data);
        else
            assert_memory_equal(map.data, bytes, sizes[i]);
        base_map_clear(&map);
        base_map_clear(&map);
        assert_null(map.data);
    }
    free(bytes);
}

static void large_mappings_begin_at_a_block(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char *bytes = some_bytes(LARGE);
    base_map map[9];
    int fd = write_plainly(t, "f", bytes, LARGE), memory;
    assert_ok(base_scratch_file("test", &memory, &err),
              &err); /* some kernels align files on disks by themselves */
    assert_ok(base_copy_file(fd, memory, LARGE, &err), &err);
    for (size_t i = 0; i < 9; i++) { /* they are neighbours: none can be aligned by chance alone */
        assert_ok(base_map_fd(i % 2 ? memory : fd, &map[i], &err), &err);
        assert_int_equal((uintptr_t)map[i].data % BLOCK, 0);
    }
    for (size_t i = 0; i < 9; i++) {
        assert_memory_equal(map[i].data, bytes, LARGE);
        base_map_clear(&map[i]);
    }
    close(memory);
    close(fd);
    free(bytes);
}

static void what_is_no_file_is_not_mapped(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_map map = {NULL, 77};
    assert_fails(base_map_fd(t->fd, &map, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_map_fd(-1, &map, &err), CISTERN_UNEXPECTED, &err);
    assert_int_equal(map.size, 77);
}

static void copies_are_written_in_blocks(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char *bytes = some_bytes(LARGE);
    int from = write_plainly(t, "from", bytes, LARGE);
    int to = openat(t->fd, "to", O_RDWR | O_CREAT, 0600);
    assert_int_equal(watch_whole_blocks(inode_of(t, "from"), LARGE), 0);
    if (base_disk_clone(from, to)) {
        print_message("extents are shared here: nothing is written\n");
    } else {
        assert_ok(base_copy_file(from, to, LARGE, &err), &err);
        assert_int_equal(watch_whole_blocks(inode_of(t, "to"), LARGE), 3);
        assert_int_equal(ftruncate(to, 0), 0);
        watch_reset();
        assert_ok(base_disk_copy_range(from, to, BLOCK - 7, BLOCK + 8, &err), &err);
        assert_int_equal(watch_whole_blocks(inode_of(t, "to"), LARGE),
                         1); /* the one that is whole in the range */
    }
    close(from);
    close(to);
    free(bytes);
}

static void files_put_piece_by_piece_are_written_in_blocks(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    const size_t pieces[] = {1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, LARGE};
    unsigned char *bytes = some_bytes(LARGE), *found = malloc(LARGE);
    for (size_t i = 1; i < sizeof pieces / sizeof pieces[0]; i++) {
        base_write *w = NULL;
        watch_reset();
        assert_ok(base_write_begin(temp_dir_path(t, "out"), true, &w, &err), &err);
        for (size_t at = 0; at < LARGE; at += pieces[i])
            assert_ok(base_write_put(w, bytes + at, LARGE - at < pieces[i] ? LARGE - at : pieces[i], &err),
                      &err);
        assert_int_equal(base_write_size(w), LARGE);
        assert_ok(base_write_end(w, &err), &err);
        assert_int_equal(watch_whole_blocks(inode_of(t, "out"), LARGE), 3);
        int fd = openat(t->fd, "out", O_RDONLY);
        assert_ok(base_pread_full(fd, found, LARGE, 0, &err), &err);
        assert_memory_equal(found, bytes, LARGE);
        close(fd);
    }
    free(bytes);
    free(found);
}

/* What the blocks are for. */
static void a_file_written_in_blocks_is_mapped_in_huge_pages(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_map map;
    if (!watch_huge_is_possible(t->fd))
        TEST_SKIP("this kernel, or the file system of the test's directory, has no huge pages for files");
    unsigned char *bytes = some_bytes(LARGE);
    base_write *w = NULL;
    assert_ok(base_write_begin(temp_dir_path(t, "out"), false, &w, &err), &err);
    assert_ok(base_write_put(w, bytes, LARGE, &err), &err);
    assert_ok(base_write_end(w, &err), &err);
    int fd = openat(t->fd, "out", O_RDONLY);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    assert_true(watch_huge_bytes(map.data, map.size) >= BLOCK);
    assert_true(base_map_is_huge(&map));
    base_map_clear(&map);
    close(fd);
    free(bytes);
}

/* A file of less than a block, and no file. */
static void small_pages_and_nothing_are_not_huge(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_map map = {NULL, 0};
    unsigned char *bytes = some_bytes(BLOCK - 1);
    int fd = write_plainly(t, "f", bytes, BLOCK - 1);
    assert_false(base_map_is_huge(&map));
    assert_ok(base_map_fd(fd, &map, &err), &err);
    assert_false(base_map_is_huge(&map));
    base_map_clear(&map);
    close(fd);
    free(bytes);
}

static void bringing_changes_nothing_and_survives_everything(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char *bytes = some_bytes(LARGE), *found = malloc(LARGE);
    int fd = write_plainly(t, "f", bytes, LARGE), pipes[2];
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    base_map_bring(fd, 0, LARGE);
    base_map_bring(fd, 5, LARGE); /* past the end */
    base_map_bring(fd, 7 * BLOCK, BLOCK);
    base_map_bring(fd, 0, 0);
    base_map_bring(fd, UINT64_MAX, UINT64_MAX);
    base_map_bring(fd, (uint64_t)INT64_MAX - 10, BLOCK);
    base_map_bring(-1, 0, LARGE);
    assert_int_equal(pipe(pipes), 0);
    base_map_bring(pipes[0], 0, LARGE);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_ok(base_pread_full(fd, found, LARGE, 0, &err), &err);
    assert_memory_equal(found, bytes, LARGE);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
    free(bytes);
    free(found);
}

/* A file that only the disk has, and that is then read by other means. */
static void what_was_brought_is_mapped_in_huge_pages(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_map map;
    unsigned char here[(LARGE + 4095) / 4096] = {0}, *bytes = some_bytes(LARGE);
    if (!watch_huge_is_possible(t->fd))
        TEST_SKIP("this kernel, or the file system of the test's directory, has no huge pages for files");
    int fd = write_plainly(t, "f", bytes, LARGE);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    assert_int_equal(mincore((void *)(uintptr_t)map.data, map.size, here), 0);
    if (memchr(here, 1, sizeof here))
        TEST_SKIP("this file system does not drop its pages");
    base_map_bring(fd, 0, LARGE);
    assert_ok(base_pread_full(fd, bytes, LARGE, 0, &err), &err);
    assert_true(watch_huge_bytes(map.data, map.size) >= BLOCK);
    base_map_clear(&map);
    close(fd);
    free(bytes);
}

static void touching_a_mapping_changes_nothing(void **state)
{
    temp_dir *t = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char *bytes = some_bytes(LARGE);
    base_map map;
    int fd = write_plainly(t, "file", bytes, LARGE);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    close(fd);
    base_map_touch(map.data, map.size);
    base_map_touch(map.data + BLOCK, map.size - BLOCK);
    base_map_touch(map.data, 1);
    base_map_touch(map.data, 0);
    base_map_touch(NULL, 0);
    assert_memory_equal(map.data, bytes, LARGE);
    base_map_clear(&map);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mapping_is_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(large_mappings_begin_at_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_not_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_are_written_in_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(files_put_piece_by_piece_are_written_in_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_written_in_blocks_is_mapped_in_huge_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(small_pages_and_nothing_are_not_huge, setup, teardown),
        cmocka_unit_test_setup_teardown(bringing_changes_nothing_and_survives_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(touching_a_mapping_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_brought_is_mapped_in_huge_pages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
