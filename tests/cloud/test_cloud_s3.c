/* Objects behind a server that recomputes every signature: where requests go, what they carry, what happens when the bucket is
 * elsewhere or the object changes. */
#include <pthread.h>
#include "cistern_test.h"
#include "cloud_s3.h"
#include "net_fixture.h"

#define ID     "AKIDTEST"
#define SECRET "s3cr/t+key"
#define TOKEN  "to/ken+=="

static net_fixture f; /* its web server stands for a host that is not S3's */
static origin_process s3;

static void spawn(origin_process *out)
{
    const char *const argv[ORIGIN_PROCESS_ARGS_MAX] = {"python3", CISTERN_TEST_DATA "/support/s3_server.py"};
    origin_process_spawn(out, argv);
}

static int start(void **state)
{
    (void)state;
    fixture_start(&f, NULL);
    spawn(&s3);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    origin_process_stop(&s3);
    fixture_stop(&f);
    return 0;
}

/* What the server serves: `more` are further members of the document, each behind a comma. */
static void serve(const char *object_more, const char *more)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{\"keys\":{\"" ID "\":{\"secret\":\"" SECRET "\",\"token\":\"" TOKEN
             "\"}},\"buckets\":{\"models\":{\"region\":\"eu-west-1\",\"objects\":{\"a "
             "b+%%.bin\":{\"file\":\"%s\"%s}}}}%s}",
             temp_dir_path(&f.dir, "a.bin"), object_more, more);
    free(origin_process_control(&s3, "POST", "/__set", json));
}

static cloud_context *context_of(const char *region, const char *secret)
{
    cloud_options options = CLOUD_OPTIONS_INIT;
    cloud_context *context = NULL;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", s3.port);
    options.s3.access_key_id = ID;
    options.s3.secret_access_key = secret;
    options.s3.session_token = TOKEN;
    options.s3.endpoint = endpoint;
    options.s3.region = region;
    assert_int_equal(cloud_context_new(&options, &context, NULL), CISTERN_OK);
    return context;
}

static net_source *source_of(cloud_context *context, const char *address)
{
    net_source *src = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cloud_s3_source_new(f.client, context, address, &src, &err), &err);
    return src;
}

static long long requests(void)
{
    return origin_process_count(&s3, NULL, "requests");
}

static void a_signed_object_is_read_whole_and_in_ranges(void **state)
{
    cloud_context *context = context_of("eu-west-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    serve(",\"version\":\"v7\",\"sha256\":\"kept\"", "");
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_true(answer.stat.accepts_ranges);
    assert_string_equal(answer.stat.version, "v7");
    assert_string_equal(answer.stat.file_name, "a b+%.bin");
    base_digest digest;
    assert_ok(base_sha256_of(f.bytes, FIXTURE_SIZE, &digest, &err), &err);
    assert_true(answer.stat.has_sha256);
    assert_true(base_digest_equal(&digest, &answer.stat.sha256));
    const char *etag = net_stat_validator(&answer.stat);
    assert_non_null(etag);
    net_range range = {1000, 1999, FIXTURE_SIZE};
    net_answer part;
    assert_ok(net_source_read(src, &range, etag, kept_sink, &k, NULL, &part, &err), &err);
    assert_int_equal(k.n, 1000);
    assert_memory_equal(k.data, f.bytes + 1000, 1000);
    kept_clear(&k);
    assert_ok(net_source_read(src, NULL, NULL, kept_sink, &k, NULL, &part, &err), &err);
    assert_memory_equal(k.data, f.bytes, FIXTURE_SIZE);
    kept_clear(&k);
    assert_ok(net_source_revalidate(src, etag, NULL, NULL, &part, &err), &err);
    assert_true(part.unchanged);
    assert_int_equal(requests(), 4);
    net_source_free(src);
    cloud_context_free(context);
}

static void digests_of_parts_are_no_digest(void **state)
{
    static const char *const kinds[] = {"composite", "parts"};
    cloud_context *context = context_of("eu-west-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        net_answer answer;
        char more[128];
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(more, sizeof more, ",\"sha256\":\"%s\",\"etag\":\"\\\"0123-3\\\"\"", kinds[i]);
        serve(more, "");
        assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
        assert_false(answer.stat.has_sha256);
        assert_string_equal(answer.stat.etag, "\"0123-3\"");
    }
    net_source_free(src);
    cloud_context_free(context);
}

static void an_object_that_changes_is_noticed_in_the_next_range(void **state)
{
    cloud_context *context = context_of("eu-west-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    kept k = {0};
    net_answer answer, part;
    net_range range = {0, 9, FIXTURE_SIZE};
    char more[1024];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    snprintf(more, sizeof more, ",\"replace_after\":2,\"replace_with\":\"%s\"",
             temp_dir_path(&f.dir, "a.bin"));
    serve("", more);
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_ok(net_source_read(src, &range, answer.stat.etag, kept_sink, &k, NULL, &part, &err), &err);
    assert_fails(net_source_read(src, &range, answer.stat.etag, kept_sink, &k, NULL, &part, &err),
                 CISTERN_CONFLICT, &err);
    assert_true(part.changed);
    assert_int_equal(k.n, 10);
    kept_clear(&k);
    net_source_free(src);
    cloud_context_free(context);
}

/* HEAD, then GET because of the document, then the other region; afterwards, and in other sources, at once. */
static void the_right_region_is_learned_once(void **state)
{
    static const char *const ways[] = {"malformed", "redirect"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cloud_context *context = context_of("us-east-1", SECRET);
        net_source *src = source_of(context, "s3://models/a b+%.bin");
        net_answer answer;
        char more[64];
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(more, sizeof more, ",\"wrong_region\":\"%s\"", ways[i]);
        serve("", more);
        assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
        assert_int_equal(requests(), 3);
        assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
        assert_int_equal(requests(), 4);
        net_source_free(src);
        src = source_of(context, "s3://models/a b+%.bin");
        assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
        assert_int_equal(requests(), 5);
        net_source_free(src);
        cloud_context_free(context);
    }
}

static void a_server_that_always_names_another_region_is_left(void **state)
{
    cloud_context *context = context_of("us-east-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    serve("", ",\"wrong_region\":\"liar\"");
    assert_says(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK, &err, "--s3-region xx-liar-4");
    assert_int_equal(requests(), 4);
    serve("", ",\"wrong_region\":\"silent\"");
    net_source_free(src);
    src = source_of(context, "s3://other/k");
    serve("", ",\"wrong_region\":\"silent\",\"buckets\":{\"other\":{\"region\":\"eu-west-3\"}}");
    assert_says(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK, &err, "does not say where");
    net_source_free(src);
    cloud_context_free(context);
}

/* A range in each of several threads, all of which find out that the bucket is elsewhere. */
typedef struct reader {
    net_source *src;
    cistern_status status;
    kept k;
    uint64_t first;
} reader;

static void *read_piece(void *user)
{
    reader *r = user;
    net_answer answer;
    net_range range = {r->first, r->first + 9999, FIXTURE_SIZE};
    r->status = net_source_read(r->src, &range, NULL, kept_sink, &r->k, NULL, &answer, NULL);
    return NULL;
}

static void many_threads_learn_the_region_together(void **state)
{
    cloud_context *context = context_of("us-east-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    pthread_t threads[8];
    reader readers[8] = {0};
    (void)state;
    serve("", "");
    for (size_t i = 0; i < 8; i++) {
        readers[i].src = src;
        readers[i].first = 20000 * i;
        assert_int_equal(pthread_create(&threads[i], NULL, read_piece, &readers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].status, CISTERN_OK);
        assert_int_equal(readers[i].k.n, 10000);
        assert_memory_equal(readers[i].k.data, f.bytes + readers[i].first, 10000);
        kept_clear(&readers[i].k);
    }
    net_source_free(src);
    cloud_context_free(context);
}

/* A redirect to another server gets neither signature nor token; one to the same server is signed anew. */
static void another_server_gets_no_signature(void **state)
{
    cloud_context *context = context_of("eu-west-1", SECRET);
    net_source *src = source_of(context, "s3://models/a.bin");
    net_answer answer;
    char more[128], value[256];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_write(&f.dir, "elsewhere", "x", 1);
    snprintf(more, sizeof more, ",\"redirect\":\"http://127.0.0.1:%d/a.bin?from=\"", f.origin.port);
    serve("", more);
    origin_process_reset(&f.origin);
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 1);
    assert_false(origin_process_header(&f.origin, 0, "authorization", value, sizeof value));
    assert_false(origin_process_header(&f.origin, 0, "x-amz-security-token", value, sizeof value));
    assert_true(origin_process_header(&s3, 0, "authorization", value, sizeof value));
    assert_true(origin_process_header(&s3, 0, "x-amz-security-token", value, sizeof value));
    net_source_free(src);
    cloud_context_free(context);
}

static void no_secret_is_in_any_message(void **state)
{
    static const char *const more[] = {
        ",\"fail\":{\"status\":403,\"code\":\"SignatureDoesNotMatch\",\"echo\":true}",
        ",\"fail\":{\"status\":500,\"code\":\"InternalError\",\"echo\":true}",
        ",\"fail\":{\"status\":400,\"code\":\"Odd\",\"echo\":true}",
        ",\"clock\":100000",
        ",\"wrong_region\":\"silent\"",
        ",\"keys\":{}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        cloud_context *context = context_of("us-east-1", SECRET);
        net_source *src = source_of(context, "s3://models/a b+%.bin");
        net_answer answer;
        cistern_error err = CISTERN_ERROR_INIT;
        serve("", more[i]);
        assert_int_not_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_OK);
        assert_message(&err, "s3://models/a b+%.bin");
        assert_silent(&err, SECRET);
        assert_silent(&err, TOKEN);
        assert_silent(&err, ID);
        assert_silent(&err, "Signature=");
        net_source_free(src);
        cloud_context_free(context);
    }
}

/* Documents that are none: the code of HTTP speaks. */
static void hostile_documents_are_harmless(void **state)
{
    static const char *const bodies[] = {"<Code>", "<Error><Code>\\u0001\\u0002</Code>",
                                         "<Error><Code></Code>", "\\u0000\\u0000<Code>x</Code>", "%s%n%s"};
    cloud_context *context = context_of("eu-west-1", SECRET);
    net_source *src = source_of(context, "s3://models/a b+%.bin");
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        net_answer answer;
        char more[256];
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(more, sizeof more, ",\"fail\":{\"status\":400,\"body\":\"%s\"}", bodies[i]);
        serve("", more);
        assert_fails(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK, &err);
        assert_message(&err, "HTTP 400");
    }
    net_source_free(src);
    cloud_context_free(context);
}

static void without_a_context_requests_are_anonymous(void **state)
{
    net_source *src = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(cloud_s3_source_new(f.client, NULL, "s3://models/k", &src, &err), &err);
    assert_string_equal(net_source_shown(src), "s3://models/k");
    net_source_free(src);
    src = NULL;
    assert_says(cloud_s3_source_new(f.client, NULL, "s3://models/", &src, &err), CISTERN_USAGE, &err,
                "no key");
    assert_null(src);
}

/* The learned regions are few; the oldest is forgotten and nothing breaks. */
static void regions_of_many_buckets(void **state)
{
    cloud_context *context = context_of("eu-west-1", SECRET);
    char bucket[16], region[33];
    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(bucket, sizeof bucket, "b%d", i);
        cloud_context_learn(context, bucket, i % 2 ? "eu-west-2" : "eu-west-3");
        cloud_context_region(context, bucket, region);
        assert_string_equal(region, i % 2 ? "eu-west-2" : "eu-west-3");
    }
    cloud_context_region(context, "b0", region);
    assert_string_equal(region, "");
    cloud_context_learn(context, "b19", "eu-west-9");
    cloud_context_region(context, "b19", region);
    assert_string_equal(region, "eu-west-9");
    cloud_context_region(context, "b18", region);
    assert_string_equal(region, "eu-west-3");
    cloud_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_object_is_read_whole_and_in_ranges),
        cmocka_unit_test(digests_of_parts_are_no_digest),
        cmocka_unit_test(an_object_that_changes_is_noticed_in_the_next_range),
        cmocka_unit_test(the_right_region_is_learned_once),
        cmocka_unit_test(a_server_that_always_names_another_region_is_left),
        cmocka_unit_test(many_threads_learn_the_region_together),
        cmocka_unit_test(another_server_gets_no_signature),
        cmocka_unit_test(no_secret_is_in_any_message),
        cmocka_unit_test(hostile_documents_are_harmless),
        cmocka_unit_test(without_a_context_requests_are_anonymous),
        cmocka_unit_test(regions_of_many_buckets),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
