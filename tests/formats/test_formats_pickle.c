/* Hostile and broken pickles, inside a zip .pth: each is refused at the byte of the opcode at fault. */
#include "formats_limits.h"
#include "weight_read.h"

#define PICKLE_AT 64u /* the forged zip's data.pkl begins there */

/* The pickle inside a file whose one storage has `bytes` bytes. */
static forge file_of(forge *pickle, size_t bytes)
{
    forge f = {0};

    pth_make(&f, pickle, bytes);
    forge_free(pickle);
    return f;
}

static void refused_at(forge *pickle, size_t op, const char *part, const char *file, int line)
{
    forge f = file_of(pickle, 0);

    weight_refused(&f, PICKLE_AT + op, part, file, line);
    forge_free(&f);
}

/* The literal, with STOP where it has none of its own, is refused at its byte `op`. */
#define assert_pickle_refused(op, part, literal)                                                             \
    do {                                                                                                     \
        forge pickle_ = {0};                                                                                 \
        FORGE(&pickle_, literal);                                                                            \
        refused_at(&pickle_, op, part, __FILE__, __LINE__);                                                  \
    } while (0)

static forge_tensor good(void)
{
    return (forge_tensor){"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}};
}

static forge file_of_tensor(const forge_tensor *t, size_t bytes)
{
    forge pickle = {0};

    pickle_state(&pickle, t, 1, false);
    return file_of(&pickle, bytes);
}

/* The tensor is refused; where REDUCE and BINPERSID stand is computed from the bytes. */
static void tensor_refused(const forge_tensor *t, size_t bytes, char opcode, const char *part, int line)
{
    forge f = file_of_tensor(t, bytes);
    size_t at = PICKLE_AT;

    while (memcmp(f.data + at, opcode == 'Q' ? "tQ" : "tR", 2) != 0)
        at++;
    weight_refused(&f, at + 1, part, __FILE__, line);
    forge_free(&f);
}

static void a_good_one_is_read(void **state)
{
    forge_tensor t = good();
    forge f = file_of_tensor(&t, 24);
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    (void)state;
    assert_ok(weight_read(f.data, f.len, &index, &err), &err);
    const model_tensor *w = model_index_find(index, "w");
    assert_non_null(w);
    assert_true(model_tensor_plain(w));
    assert_int_equal(w->rank, 2);
    assert_int_equal(w->offset % 64, 0);
    model_index_free(index);
    forge_free(&f);
}

/* 1, 2: names that are not allowed, by every way to ask for one. */
static void code_is_named_and_not_run(void **state)
{
    (void)state;
    assert_pickle_refused(
        2, "w: holds code: the pickle asks for \"os.system\", which is not allowed; nothing was run",
        "\x80\x02"
        "cos\nsystem\nX\x02\0\0\0id\x85R.");
    assert_pickle_refused(2, "\"posix.system\"",
                          "\x80\x02"
                          "cposix\nsystem\n.");
    assert_pickle_refused(29, "holds code: the pickle asks for \"builtins.eval\"",
                          "\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x08"
                          "builtins\x94\x8c\x04"
                          "eval\x94\x93.");
    assert_pickle_refused(2, "holds code: the pickle makes an object of a class (opcode 0x69)",
                          "\x80\x02ios\nsystem\n.");
    assert_pickle_refused(3, "makes an object of a class (opcode 0x6f)", "\x80\x02(o.");
    assert_pickle_refused(2, "\"torch.load\"",
                          "\x80\x02"
                          "ctorch\nload\n.");
    assert_pickle_refused(2, "\"torch._utils._rebuild_device_tensor_from_numpy\"",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_device_tensor_from_numpy\n.");
    assert_pickle_refused(2, "\"collections.OrderedDict.pop\"",
                          "\x80\x02"
                          "ccollections\nOrderedDict.pop\n.");
    assert_pickle_refused(2, "of a kind that this version does not read (torch.float8_e5m2)",
                          "\x80\x02"
                          "ctorch\nfloat8_e5m2\n.");
    assert_pickle_refused(4, "a name made of None and None", "\x80\x02NN\x93.");
}

static void only_a_class_is_the_class_of_a_module(void **state)
{
    (void)state;
    assert_pickle_refused(28, "a persistent id of a module has 4 members and names a string, not a class",
                          "\x80\x02(X\x06\0\0\0moduleX\x06\0\0\0module"
                          "NNtQ.");
    assert_pickle_refused(21, "a persistent id of a module has 3 members and names a class",
                          "\x80\x02(X\x06\0\0\0modulecm\nC\nNtQ.");
    assert_pickle_refused(42, "names a name, not a class",
                          "\x80\x02(X\x06\0\0\0moduleccollections\nOrderedDict\nNNtQ.");
    assert_pickle_refused(14, "a persistent id of a module has 1 members and names nothing",
                          "\x80\x02X\x06\0\0\0module\x85Q.");
}

/* A class that is not allowed: named, made an object of, given a state; never called, whatever it is. */
static void records_are_inert(void **state)
{
    (void)state;
    /* NEWOBJ and BUILD of anything at all: there is nothing in it, so the file is what it is refused for */
    assert_pickle_refused(2, "holds code: the pickle asks for \"os.system\"",
                          "\x80\x02"
                          "cos\nsystem\nX\x02\0\0\0id\x85\x81.");
    assert_pickle_refused(2, "holds code: the pickle asks for \"m.C\"",
                          "\x80\x02"
                          "cm\nC\n)\x81}b.");
    /* calling a class, a record, or a class through the memo */
    assert_pickle_refused(2, "holds code: the pickle asks for \"m.C\"",
                          "\x80\x02"
                          "cm\nC\n)R.");
    assert_pickle_refused(2, "holds code: the pickle asks for \"m.C\"",
                          "\x80\x02"
                          "cm\nC\nq\x01)\x81h\x01)R.");
    assert_pickle_refused(10, "the pickle calls an object",
                          "\x80\x02"
                          "cm\nC\n)\x81)R.");
    /* what is no object takes no state, and a record takes no members */
    assert_pickle_refused(8, "the pickle sets the state of a class",
                          "\x80\x02"
                          "cm\nC\n}b.");
    assert_pickle_refused(11, "the pickle sets items of an object",
                          "\x80\x02"
                          "cm\nC\n)\x81NNs.");
    assert_pickle_refused(8, "the pickle makes an object from None",
                          "\x80\x02"
                          "cm\nC\nN\x81.");
    /* a class is no storage's, no tensor's and no dtype's */
    assert_pickle_refused(30, "a storage's class is a class",
                          "\x80\x02(X\x07\0\0\0storagecm\nC\nX\x01\0\0\0"
                          "0NK\x01tQ.");
}

/* 3: targets of the wrong kind. */
static void only_containers_take_members(void **state)
{
    (void)state;
    assert_pickle_refused(8, "the pickle sets items of an integer", "\x80\x02K\x01K\x02K\x03s.");
    assert_pickle_refused(4, "the pickle sets items of a list", "\x80\x02](u.");
    assert_pickle_refused(6, "the pickle sets items of a tuple", "\x80\x02)(NNu.");
    assert_pickle_refused(4, "the pickle appends to a dict", "\x80\x02}Na.");
    assert_pickle_refused(4, "the pickle appends to a set", "\x80\x02\x8f(e.");
    assert_pickle_refused(5, "the pickle adds items to a dict", "\x80\x02}(N\x90.");
    assert_pickle_refused(7, "sets items of a dict from 3 values, not from pairs", "\x80\x02}(NNNu.");
    assert_pickle_refused(4, "the pickle sets the state of None", "\x80\x02NNb.");
    assert_pickle_refused(4, "the pickle calls None", "\x80\x02N)R.");
    assert_pickle_refused(18, "the pickle calls torch.float32, which is no function",
                          "\x80\x02"
                          "ctorch\nfloat32\n)R.");
}

static void a_tensor_takes_no_members(void **state)
{
    forge pickle = {0};
    forge_tensor t = good();

    (void)state;
    FORGE(&pickle, "\x80\x02");
    pickle_tensor(&pickle, &t, false);
    FORGE(&pickle, "K\x01K\x02");
    size_t at = pickle.len;
    FORGE(&pickle, "s.");
    refused_at(&pickle, at, "the pickle sets items of a tensor", __FILE__, __LINE__);
}

/* 4: the memo. */
static void memo_numbers_are_checked(void **state)
{
    forge pickle = {0}, f;

    (void)state;
    assert_pickle_refused(2, "gets memo entry 7, which it never put", "\x80\x02h\x07.");
    assert_pickle_refused(2, "gets memo entry 4294967295, which it never put", "\x80\x02j\xff\xff\xff\xff.");
    assert_pickle_refused(3, "numbers a memo entry 4294967295, at most 1048576 are allowed",
                          "\x80\x02}r\xff\xff\xff\xff.");
    assert_pickle_refused(2, "stack holds 0 values, 1 are needed", "\x80\x02q\x01.");
    /* at the limit, and one above */
    FORGE(&pickle, "\x80\x02}r");
    forge_le(&pickle, FORMATS_MEMO_MAX - 1, 4);
    FORGE(&pickle, "0.");
    f = file_of(&pickle, 0);
    assert_refused(&f, PICKLE_AT + 8, "opcode 0x30, which is not allowed");
    forge_free(&f);
    FORGE(&pickle, "\x80\x02}r");
    forge_le(&pickle, FORMATS_MEMO_MAX, 4);
    refused_at(&pickle, 3, "numbers a memo entry 1048576", __FILE__, __LINE__);
}

/* Repeats a piece, between a start and an end. */
static forge repeated(const char *start, size_t start_n, const char *piece, size_t piece_n, size_t times)
{
    forge f = {0};

    forge_put(&f, start, start_n);
    for (size_t i = 0; i < times; i++)
        forge_put(&f, piece, piece_n);
    return f;
}

/* `times` pieces are fine (the pickle is then just cut short, at its end), one more is refused, at its opcode. */
static void limit_holds(const char *start, size_t start_n, const char *piece, size_t piece_n, size_t op,
                        size_t times, const char *part, int line)
{
    forge at = repeated(start, start_n, piece, piece_n, times);
    forge above = repeated(start, start_n, piece, piece_n, times + 1);

    refused_at(&at, start_n + piece_n * times, "cut short", __FILE__, line);
    refused_at(&above, start_n + piece_n * times + op, part, __FILE__, line);
}

#define assert_limit(start, piece, op, times, part)                                                          \
    limit_holds(start, sizeof(start) - 1, piece, sizeof(piece) - 1, op, times, part, __LINE__)

/* 5: bombs of opcodes. */
static void opcode_bombs_meet_limits(void **state)
{
    (void)state;
    assert_limit("\x80\x02", "(", 0, FORMATS_MARKS_MAX, "opens more than 1024 MARKs");
    assert_limit("\x80\x02", "]", 0, FORMATS_STACK_MAX, "keeps more than 65536 values on its stack");
    assert_limit("\x80\x02]", "Na", 0, FORMATS_VALUES_MAX - 1, "makes more than 1048576 values");
    assert_limit("\x80\x02]q\x01",
                 "h\x01"
                 "a",
                 2, FORMATS_CELLS_MAX, "have more than 1048576 members");
    assert_limit("\x80\x02]", "cA\nB\na", 0, FORMATS_CLASSES_MAX, "asks for more than 65536 classes");
}

/* A storage, or a tensor of one, mentioned over and over from the memo. */
static void storages_and_tensors_have_limits(void **state)
{
    forge start = {0};

    (void)state;
    FORGE(&start, "\x80\x02(");
    pickle_text(&start, "storage");
    pickle_global(&start, "torch", "ByteStorage");
    pickle_text(&start, "0");
    pickle_text(&start, "cpu");
    FORGE(&start, "K\x01tq\x01]");
    limit_holds((const char *)start.data, start.len, "h\x01Qa", 4, 2, FORMATS_STORAGES_MAX,
                "mentions storages more than 131072 times", __LINE__);
    forge_free(&start);
    FORGE(&start, "\x80\x02");
    pickle_global(&start, "torch._utils", "_rebuild_tensor");
    FORGE(&start, "q\x01(");
    pickle_storage(&start, "ByteStorage", "0", 1, false);
    FORGE(&start, "K\0))tq\x02\x86]"); /* the pair keeps them from being in the way */
    limit_holds((const char *)start.data, start.len, "h\x01h\x02Ra", 6, 4, FORMATS_VIEWS_MAX,
                "makes more than 131072 tensors", __LINE__);
    forge_free(&start);
}

/* 5: a tuple in a tuple in a tuple …, a million deep, without a deep stack. */
static void nesting_a_million_deep_is_refused_and_freed(void **state)
{
    forge pickle = repeated("\x80\x02]", 3, "\x85", 1, 1000000), f;

    (void)state;
    FORGE(&pickle, ".");
    f = file_of(&pickle, 0);
    assert_refused(&f, NO_OFFSET, "containers are nested more than 32 deep");
    forge_free(&f);
}

static forge nested_tuples(unsigned depth)
{
    forge pickle = {0};
    forge_tensor t = good();

    FORGE(&pickle, "\x80\x02");
    pickle_tensor(&pickle, &t, false);
    for (unsigned i = 0; i < depth; i++)
        FORGE(&pickle, "\x85");
    FORGE(&pickle, ".");
    return file_of(&pickle, 24);
}

static void nesting_has_a_limit(void **state)
{
    forge at = nested_tuples(FORMATS_WALK_DEPTH_MAX), above = nested_tuples(FORMATS_WALK_DEPTH_MAX + 1);

    (void)state;
    assert_accepted(&at, 1);
    assert_refused(&above, NO_OFFSET, "containers are nested more than 32 deep");
    forge_free(&at);
    forge_free(&above);
}

/* A container that is met 2^30 times, and one that holds itself. */
static void walks_have_a_limit(void **state)
{
    forge pickle = {0}, f;

    (void)state;
    FORGE(&pickle, "\x80\x02)q\x01");
    for (int i = 0; i < 30; i++)
        FORGE(&pickle, "h\x01\x86q\x01");
    FORGE(&pickle, ".");
    f = file_of(&pickle, 0);
    assert_refused(&f, NO_OFFSET, "more than 2097152 members in nested containers");
    forge_free(&f);
    FORGE(&pickle, "\x80\x02]q\x01h\x01"
                   "a.");
    f = file_of(&pickle, 0);
    assert_refused(&f, NO_OFFSET, "containers are nested more than 32 deep");
    forge_free(&f);
}

/* A tuple of 1023 members costs 1024 steps, its own place included, each of `times` times; a last one, `last` + 1; the
 * list around them one more. */
static forge tuple_met(uint32_t times, uint32_t last)
{
    forge pickle = {0};

    FORGE(&pickle, "\x80\x02(");
    for (int i = 0; i < 1023; i++)
        FORGE(&pickle, "N");
    FORGE(&pickle, "tq\x01](");
    for (uint32_t i = 1; i < times; i++)
        FORGE(&pickle, "h\x01");
    FORGE(&pickle, "(");
    for (uint32_t i = 0; i < last; i++)
        FORGE(&pickle, "N");
    FORGE(&pickle, "te\x86.");
    return file_of(&pickle, 0);
}

static void steps_are_counted(void **state)
{
    uint32_t times = FORMATS_WALK_STEPS_MAX / 1024 - 1;
    forge at = tuple_met(times, 1022), above = tuple_met(times, 1023);

    (void)state;
    assert_refused(&at, NO_OFFSET, "holds no tensors, only a tuple");
    assert_refused(&above, NO_OFFSET, "more than 2097152 members in nested containers");
    forge_free(&at);
    forge_free(&above);
}

/* 6: views that leave their storage. */
static void views_stay_in_their_storage(void **state)
{
    forge_tensor t = good();

    (void)state;
    t.offset = 1;
    tensor_refused(&t, 24, 'R', "reaches to element 7 of storage '0', which has 6", __LINE__);
    t = good();
    t.size[0] = 3;
    tensor_refused(&t, 24, 'R', "reaches to element 9 of storage '0', which has 6", __LINE__);
    t = good();
    t.stride[1] = -1;
    tensor_refused(&t, 24, 'R', "stride is -1, which is negative", __LINE__);
    t = good();
    t.size[0] = -2;
    tensor_refused(&t, 24, 'R', "size is -2, which is negative", __LINE__);
    t = good();
    t.offset = -1;
    tensor_refused(&t, 24, 'R', "a tensor's storage offset is -1", __LINE__);
    t = good();
    t.size[0] = t.size[1] = (int64_t)1 << 33;
    t.stride[0] = t.stride[1] = 0;
    tensor_refused(&t, 24, 'R', "a tensor's extent overflows", __LINE__);
    t = good();
    t.stride[0] = INT64_MAX;
    t.size[0] = 4;
    tensor_refused(&t, 24, 'R', "a tensor's extent overflows", __LINE__);
    t = good();
    t.size[0] = 0;
    t.offset = 7; /* no elements, but it begins beyond the end */
    tensor_refused(&t, 24, 'R', "reaches to element 7 of storage '0', which has 6", __LINE__);
}

static void a_view_may_touch_the_end(void **state)
{
    forge_tensor t = good();

    (void)state;
    t.size[0] = 0;
    t.offset = 6;
    forge f = file_of_tensor(&t, 24);
    assert_accepted(&f, 1);
    forge_free(&f);
    t = (forge_tensor){"w", "FloatStorage", "0", 6, 5, 0, {0}, {0}};
    f = file_of_tensor(&t, 24);
    assert_accepted(&f, 1);
    forge_free(&f);
}

static void eight_dimensions_and_no_more(void **state)
{
    forge_tensor t = {"w", "FloatStorage", "0", 6, 0, 8, {1, 1, 1, 1, 1, 1, 2, 3}, {0}};

    (void)state;
    forge f = file_of_tensor(&t, 24);
    assert_accepted(&f, 1);
    forge_free(&f);
    t.rank = 9;
    tensor_refused(&t, 24, 'R', "a tensor has 9 dimensions, at most 8 allowed", __LINE__);
}

/* 7: what the pickle says of a storage against what the zip holds. */
static void storages_have_exactly_their_bytes(void **state)
{
    forge_tensor t = good();

    (void)state;
    tensor_refused(&t, 23, 'Q', "storage '0' has 6 elements of 4 bytes, but its zip member has 23 bytes",
                   __LINE__);
    tensor_refused(&t, 25, 'Q', "but its zip member has 25 bytes", __LINE__);
    t.numel = ((int64_t)1 << 62) + 6; /* times four it is 24 again */
    tensor_refused(&t, 24, 'Q', "overflows", __LINE__);
    t = good();
    t.numel = -1;
    tensor_refused(&t, 24, 'Q', "number of elements is -1, which is negative", __LINE__);
    t = good();
    t.key = "1";
    tensor_refused(&t, 24, 'Q', "storage '1' is not in the zip file", __LINE__);
    t.key = "../../data.pkl";
    tensor_refused(&t, 24, 'Q', "storage '../../data.pkl' is not in the zip file", __LINE__);
}

static void mentions_of_a_storage_agree(void **state)
{
    forge pickle = {0};
    forge_tensor t[2] = {good(), good()};

    (void)state;
    t[1].name = "v";
    pickle_state(&pickle, t, 2, false);
    forge f = file_of(&pickle, 24);
    assert_accepted(&f, 2);
    forge_free(&f);
    t[1].type = "IntStorage";
    pickle_state(&pickle, t, 2, false);
    f = file_of(&pickle, 24);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err,
                "storage '0' is mentioned with two sizes or dtypes");
    forge_free(&f);
}

static void persistent_ids_are_those_of_storages(void **state)
{
    (void)state;
    assert_pickle_refused(3, "a persistent id is given None of 0 members", "\x80\x02NQ.");
    assert_pickle_refused(3, "a persistent id of 0 members", "\x80\x02)Q.");
    assert_pickle_refused(20, "a storage's class is None", "\x80\x02(X\x07\0\0\0storageNNNNtQ.");
    assert_pickle_refused(47, "a storage's class is TypedStorage",
                          "\x80\x02(X\x07\0\0\0storagectorch.storage\nTypedStorage\nNNNtQ.");
}

static void arguments_are_counted(void **state)
{
    (void)state;
    assert_pickle_refused(36, "torch._utils._rebuild_tensor_v2 is given 0 arguments, 5 to 7 are right",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_tensor_v2\n)R.");
    assert_pickle_refused(38, "a tensor is made of None, not of a storage",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_tensor\n(NNNNtR.");
    assert_pickle_refused(37, "a parameter is made of None",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_parameter\nN\x85R.");
    assert_pickle_refused(31, "an OrderedDict is made of None, not of pairs",
                          "\x80\x02"
                          "ccollections\nOrderedDict\n]Na\x85R.");
    /* eight is what the longest of them takes, and no tuple may have more */
    assert_pickle_refused(45, "_rebuild_tensor_v2 is given 8 arguments, 5 to 7 are right",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNNNtR.");
    assert_pickle_refused(46, "is given a tuple of 9 members, not a tuple of at most 8",
                          "\x80\x02"
                          "ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNNNNtR.");
}

/* A tensor of these arguments, each as opcodes; it is refused where it is made. */
static void tensor_of_refused(const char *type, const char *rebuild, const char *arguments, const char *part,
                              int line)
{
    forge pickle = {0};

    FORGE(&pickle, "\x80\x02");
    pickle_global(&pickle, "torch._utils", rebuild);
    FORGE(&pickle, "(");
    if (strcmp(type, "UntypedStorage") != 0) {
        pickle_storage(&pickle, type, "0", 6, false);
    } else { /* the class has a module of its own */
        FORGE(&pickle, "(");
        pickle_text(&pickle, "storage");
        pickle_global(&pickle, "torch.storage", type);
        FORGE(&pickle, "X\x01\0\0\0000X\x03\0\0\0cpuK\x18tQ");
    }
    forge_put(&pickle, arguments, strlen(arguments));
    FORGE(&pickle, "tR.");
    refused_at(&pickle, pickle.len - 2, part, __FILE__, line);
}
#define assert_tensor_of_refused(type, rebuild, arguments, part)                                             \
    tensor_of_refused(type, rebuild, arguments, part, __LINE__)

static void arguments_of_the_wrong_kind_are_refused(void **state)
{
    (void)state;
    assert_tensor_of_refused("FloatStorage", "_rebuild_tensor", "N))",
                             "a tensor's storage offset is None, not an integer");
    assert_tensor_of_refused("FloatStorage", "_rebuild_tensor", "K\x01N)",
                             "a tensor's size is None, not a tuple");
    assert_tensor_of_refused("FloatStorage", "_rebuild_tensor", "K\x01)}",
                             "a tensor's stride is a dict, not a tuple");
    assert_tensor_of_refused("FloatStorage", "_rebuild_tensor", "K\x01K\x01\x85)",
                             "a tensor has 1 sizes and 0 strides");
    assert_tensor_of_refused("UntypedStorage", "_rebuild_tensor", "K\x01))",
                             "a tensor of an untyped storage has no dtype");
    assert_tensor_of_refused("UntypedStorage", "_rebuild_tensor_v3", "K\x01))\x89}N",
                             "a tensor's dtype is None");
    assert_pickle_refused(30, "an OrderedDict is made of 2 arguments",
                          "\x80\x02"
                          "ccollections\nOrderedDict\nNN\x86R.");
    assert_pickle_refused(16, "a torch.Size is made of None",
                          "\x80\x02"
                          "ctorch\nSize\nN\x85R.");
    assert_pickle_refused(4, "asks for a name made of None and None", "\x80\x04NN\x93.");
}

/* Bytes of protocols 3 to 5 are no text: what they stand for is left out, and what follows them is read. */
static void bytes_of_every_length_are_passed_over(void **state)
{
    static const struct {
        const char *opcodes;
        size_t n;
    } cases[] = {{"C\x02"
                  "ab",
                  4},
                 {"B\x02\0\0\0"
                  "ab",
                  7},
                 {"\x8e\x02\0\0\0\0\0\0\0"
                  "ab",
                  11},
                 {"\x96\x02\0\0\0\0\0\0\0"
                  "ab",
                  11}};
    forge_tensor t = good();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge pickle = {0};
        FORGE(&pickle, "\x80\x05}X\x01\0\0\0b");
        forge_put(&pickle, cases[i].opcodes, cases[i].n);
        FORGE(&pickle, "s");
        pickle_text(&pickle, "w");
        pickle_tensor(&pickle, &t, false);
        FORGE(&pickle, "s.");
        forge f = file_of(&pickle, 24);
        assert_accepted(&f, 1);
        forge_free(&f);
        FORGE(&pickle, "\x80\x05");
        forge_put(&pickle, cases[i].opcodes, cases[i].n - 1); /* one byte too few */
        refused_at(&pickle, 2, "the pickle is cut short: 2 bytes announced, 1 left", __FILE__, __LINE__);
    }
}

/* Structure: marks, stack, STOP, ends. */
static void broken_structure_is_refused(void **state)
{
    (void)state;
    assert_pickle_refused(2, "closes a MARK that it never opened", "\x80\x02t.");
    assert_pickle_refused(3, "stack holds 1 values, 2 are needed", "\x80\x02Na.");
    assert_pickle_refused(4, "stack holds 0 values, 1 are needed", "\x80\x02N(\x85.");
    assert_pickle_refused(2, "ends with 0 values and 0 MARKs", "\x80\x02.");
    assert_pickle_refused(4, "ends with 2 values", "\x80\x02NN.");
    assert_pickle_refused(4, "ends with 1 values and 1 MARKs", "\x80\x02N(.");
    assert_pickle_refused(3, "the pickle is cut short", "\x80\x02N");
    assert_pickle_refused(2, "cut short: 5 bytes announced, 2 left", "\x80\x02X\x05\0\0\0ab");
    assert_pickle_refused(2, "18446744073709551615 bytes announced",
                          "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.");
    assert_pickle_refused(2, "a frame of 9 bytes, 1 left", "\x80\x04\x95\x09\0\0\0\0\0\0\0.");
    assert_pickle_refused(0, "not a pickle of protocol 2 to 5 (it begins 80 06)", "\x80\x06.");
    assert_pickle_refused(0, "not a pickle of protocol 2 to 5", "(dp0\n.");
    assert_pickle_refused(2, "opcode 0x49, which is not allowed", "\x80\x02I1\n.");
    assert_pickle_refused(2, "opcode 0x82, which is not allowed", "\x80\x02\x82\x01.");
}

static void names_asked_for_are_short(void **state)
{
    forge pickle = {0};
    char name[FORMATS_GLOBAL_BYTES_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof name);
    name[FORMATS_GLOBAL_BYTES_MAX - 1] = 0; /* with the module's one byte: at the limit */
    FORGE(&pickle, "\x80\x02");
    pickle_global(&pickle, "m", name);
    FORGE(&pickle, ")R.");
    refused_at(&pickle, 2, "holds code: the pickle asks for \"m.aaaa", __FILE__, __LINE__);
    name[FORMATS_GLOBAL_BYTES_MAX - 1] = 'a';
    name[FORMATS_GLOBAL_BYTES_MAX] = 0;
    FORGE(&pickle, "\x80\x02");
    pickle_global(&pickle, "m", name);
    refused_at(&pickle, 2, "asks for a name of 257 bytes, at most 256", __FILE__, __LINE__);
    name[FORMATS_GLOBAL_BYTES_MAX] = 'a';
    name[FORMATS_GLOBAL_BYTES_MAX + 1] = 0;
    FORGE(&pickle, "\x80\x02");
    pickle_global(&pickle, "m", name);
    refused_at(&pickle, 2, "asks for a name of more than 256 bytes", __FILE__, __LINE__);
}

/* Names of tensors. */
static void tensor_names_are_checked(void **state)
{
    char name[MODEL_NAME_MAX + 2];
    forge_tensor t = good();

    (void)state;
    memset(name, 'a', sizeof name);
    name[MODEL_NAME_MAX] = 0;
    t.name = name;
    forge f = file_of_tensor(&t, 24);
    assert_accepted(&f, 1);
    forge_free(&f);
    name[MODEL_NAME_MAX] = 'a';
    name[MODEL_NAME_MAX + 1] = 0;
    f = file_of_tensor(&t, 24);
    assert_refused(&f, NO_OFFSET, "a tensor's name has more than 512 bytes");
    forge_free(&f);
    static const char *const bad[] = {"", "a\nb", "\xff", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.name = bad[i];
        f = file_of_tensor(&t, 24);
        assert_refused(&f, NO_OFFSET, "name");
        forge_free(&f);
    }
    forge pickle = {0};
    forge_tensor twice[2] = {good(), good()};
    pickle_state(&pickle, twice, 2, false);
    f = file_of(&pickle, 24);
    assert_refused(&f, NO_OFFSET, "tensor 'w' is there twice");
    forge_free(&f);
}

/* The same text goes to the user's terminal: control characters of the file are escaped. */
static void messages_carry_no_control_characters(void **state)
{
    forge pickle = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    FORGE(&pickle, "\x80\x02"
                   "c\x1b[2Jos\nsys\x07tem\n.");
    forge f = file_of(&pickle, 0);
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err, "\\x1b[2Jos.sys\\x07tem");
    forge_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_read),
        cmocka_unit_test(code_is_named_and_not_run),
        cmocka_unit_test(only_a_class_is_the_class_of_a_module),
        cmocka_unit_test(records_are_inert),
        cmocka_unit_test(only_containers_take_members),
        cmocka_unit_test(a_tensor_takes_no_members),
        cmocka_unit_test(memo_numbers_are_checked),
        cmocka_unit_test(opcode_bombs_meet_limits),
        cmocka_unit_test(storages_and_tensors_have_limits),
        cmocka_unit_test(nesting_a_million_deep_is_refused_and_freed),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(walks_have_a_limit),
        cmocka_unit_test(steps_are_counted),
        cmocka_unit_test(views_stay_in_their_storage),
        cmocka_unit_test(a_view_may_touch_the_end),
        cmocka_unit_test(eight_dimensions_and_no_more),
        cmocka_unit_test(storages_have_exactly_their_bytes),
        cmocka_unit_test(mentions_of_a_storage_agree),
        cmocka_unit_test(persistent_ids_are_those_of_storages),
        cmocka_unit_test(arguments_are_counted),
        cmocka_unit_test(arguments_of_the_wrong_kind_are_refused),
        cmocka_unit_test(bytes_of_every_length_are_passed_over),
        cmocka_unit_test(broken_structure_is_refused),
        cmocka_unit_test(names_asked_for_are_short),
        cmocka_unit_test(tensor_names_are_checked),
        cmocka_unit_test(messages_carry_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
