/* Runs a fuzz target without libFuzzer: every seed file as it is, then mutants of the seeds from a fixed random sequence.
 *
 *   fuzz_<room> MUTANTS SEED [FILE|DIRECTORY...]
 *
 * Each input ends at a guard page. The seed and the number of a mutant that kills the program are in the last line that
 * was printed (printed before it is tried only with FUZZ_TRACE set), so that the run can be repeated.
 */
#include "guard_page.h"
#include "temp_dir.h"
#include <stdbool.h>

#define INPUTS_MAX 4096
#define INPUT_MAX  (1u << 20) /* bytes of one seed file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct seed_file {
    uint8_t *bytes;
    size_t size;
} seed_file;

static seed_file seeds[INPUTS_MAX];
static size_t seed_count;
static uint64_t random_state;

static uint64_t next_random(void)
{
    /* xorshift64*, Vigna 2014 */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(next_random() % n) : 0;
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || seed_count == INPUTS_MAX) {
        perror(path);
        exit(1);
    }
    seed_file s = {malloc(INPUT_MAX), 0};
    s.size = fread(s.bytes, 1, INPUT_MAX, file);
    fclose(file);
    seeds[seed_count++] = s;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a directory in the order of their names, so that a run can be repeated anywhere. */
static void add_path(const char *path)
{
    DIR *dir = opendir(path);
    char *names[INPUTS_MAX];
    size_t count = 0;
    if (!dir) {
        add_file(path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL && count < INPUTS_MAX;) {
        if (entry->d_name[0] == '.')
            continue;
        size_t n = strlen(path) + strlen(entry->d_name) + 2;
        names[count] = malloc(n);
        snprintf(names[count++], n, "%s/%s", path, entry->d_name);
    }
    closedir(dir);
    qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++) {
        add_file(names[i]);
        free(names[i]);
    }
}

static void try_input(const uint8_t *bytes, size_t n)
{
    guard_page g = guard_page_of(bytes, n);
    LLVMFuzzerTestOneInput(g.data, n);
    guard_page_free(&g);
}

static void put_interesting(uint8_t *at, size_t room)
{
    static const uint64_t values[] = {0,
                                      1,
                                      0x7f,
                                      0x80,
                                      0xff,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      0xffffffffffffffff};
    size_t width = (size_t)1 << below(4);
    uint64_t value = values[below(sizeof values / sizeof values[0])];
    if (below(2))
        value = __builtin_bswap64(value) >> (64 - 8 * width);
    memcpy(at, &value, width < room ? width : room);
}

/* One change of the n bytes in place or in length; returns the new length, at most INPUT_MAX. */
static size_t mutate(uint8_t *bytes, size_t n)
{
    size_t at = below(n), length = below(n - at < 64 ? n - at : 64);
    const seed_file *other = &seeds[below(seed_count)];
    switch (below(8)) {
    case 0: /* one bit */
        if (n > 0)
            bytes[at] ^= (uint8_t)(1u << below(8));
        return n;
    case 1: /* one byte */
        if (n > 0)
            bytes[at] = (uint8_t)next_random();
        return n;
    case 2: /* a number at the edge of its range */
        if (n > 0)
            put_interesting(bytes + at, n - at);
        return n;
    case 3: /* cut */
        return at;
    case 4: /* leave out */
        memmove(bytes + at, bytes + at + length, n - at - length);
        return n - length;
    case 5: /* repeat */
        if (n + length > INPUT_MAX)
            return n;
        memmove(bytes + at + length, bytes + at, n - at);
        return n + length;
    case 6: /* a piece of another seed */
        length = below(other->size < 256 ? other->size : 256);
        if (length > n - at)
            length = n - at;
        if (length > 0)
            memcpy(bytes + at, other->bytes + below(other->size - length), length);
        return n;
    default: /* add bytes */
        if (n + 8 > INPUT_MAX)
            return n;
        memset(bytes + n, (int)below(256), 8);
        return n + 1 + below(8);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MUTANTS SEED [FILE|DIRECTORY...]\n", argv[0]);
        return 2;
    }
    unsigned long mutants = strtoul(argv[1], NULL, 10);
    unsigned long seed = strtoul(argv[2], NULL, 10);
    bool trace = getenv("FUZZ_TRACE") != NULL;
    for (int i = 3; i < argc; i++)
        add_path(argv[i]);
    printf("%zu seeds, %lu mutants from %lu\n", seed_count, mutants, seed);
    fflush(stdout);
    try_input(NULL, 0);
    for (size_t i = 0; i < seed_count; i++)
        try_input(seeds[i].bytes, seeds[i].size);
    uint8_t *bytes = malloc(INPUT_MAX);
    for (unsigned long i = 0; i < mutants && seed_count > 0; i++) {
        random_state = (seed + 1) * 0x9e3779b97f4a7c15u + i * 0xbf58476d1ce4e5b9u + 1;
        const seed_file *from = &seeds[below(seed_count)];
        size_t n = from->size;
        memcpy(bytes, from->bytes, n);
        for (size_t changes = 1 + below(6); changes > 0; changes--)
            n = mutate(bytes, n);
        if (trace) {
            printf("mutant %lu, %zu bytes\n", i, n);
            fflush(stdout);
        }
        try_input(bytes, n);
    }
    free(bytes);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    return seed_count > 0 || argc == 3 ? 0 : 1;
}
