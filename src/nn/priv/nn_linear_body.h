/* Linear layers, written once over vectors; each instruction set's file says how long they are, how weights are loaded, and
 * how many rows its registers have room for, and gives the kernels their names.
 *
 *   vec            WIDTH floats; PARTS of them are one sum of NN_LINEAR_LANES lanes
 *   load(dtype, w, p, n)   part p of the NN_LINEAR_LANES weights at w, of which n exist; reads nothing behind these
 *   load_floats, store_floats, zero, fmadd, add_up (of PARTS)
 *   SEEN(v)        v stays in a register from here on, where there are enough of them
 *   IMAGES         whose sums registers hold for some rows; ROWS_1 … ROWS_8 rows for so many images, at most ROWS
 *
 * Several rows at once are several streams out of memory, which is what keeps it busy; several images share what is read.
 */
#ifndef NN_LINEAR_BODY_H
#define NN_LINEAR_BODY_H

/* Bytes that each row is asked for ahead: for one image into L2, as nothing else goes on. Behind a row's end lies the beginning
 * of the one that follows it. Measured over mappings of 4 KiB and of 2 MiB pages: docs/engine.md. */
#define AHEAD 512

/* More images than registers hold sums for: the inputs are cut into panels, of which those of IMAGES images fit L1 and the
 * weights of SAVED_ROWS rows L2, and sums are kept from panel to panel. That changes no bit. While a panel is multiplied, the
 * next one's weights are asked for, a part with each group of images. */
#define PANEL        256
#define SAVED_ROWS   48
#define SAVED_IMAGES 32

#define LINES_ROWS  6
#define LINES_AHEAD 16 /* of each row */

#define LANES NN_LINEAR_LANES

/* What all of a call's tiles have in common. */
typedef struct call {
    size_t w_stride, n, x_stride;
    int relu;
    size_t out_stride;
    size_t from, to; /* of the n inputs: a panel, or all */
    size_t every;    /* steps between two requests for the next panel */
    size_t behind;   /* bytes from a panel to what is asked for next */
} call;

/* The rows of eight images from three addresses: what a register can be added once, twice, or four times. */
typedef struct sight {
    const char *first, *third, *sixth;
    size_t stride; /* bytes */
} sight;

ALWAYS sight sight_of(const call *k, const float *x, const size_t B)
{
    sight a = {(const char *)x, (const char *)x, (const char *)x, k->x_stride * sizeof(float)};
    a.third += B > 3 ? 3 * a.stride : 0;
    a.sixth += B > 6 ? 6 * a.stride : 0;
    /* else the compiler gives each image a register, and spills sums for them */
    __asm__("" : "+r"(a.third), "+r"(a.sixth));
    return a;
}

ALWAYS const float *input_of(const sight *a, const size_t b, size_t i)
{
    const char *at = b >= 6 ? a->sixth : b == 3 || b == 5 ? a->third : a->first;
    const size_t times = b >= 6 ? b - 6 : b == 3 || b == 5 ? b - 3 : b;
    return (const float *)(const void *)(at + times * a->stride + i * sizeof(float));
}

ALWAYS size_t bytes_of(const model_dtype dtype)
{
    return dtype == MODEL_F32 ? 4 : 2;
}

/* The n inputs from i on of R rows and B images. */
ALWAYS void step(const call *k, const model_dtype dtype, const uint8_t *w, const sight *x, size_t i,
                 const size_t R, const size_t B, const size_t n, vec sum[ROWS][IMAGES][PARTS])
{
#pragma GCC unroll 2
    for (size_t p = 0; p < PARTS; p++) {
        vec weight[ROWS];
#pragma GCC unroll 8
        for (size_t r = 0; r < R; r++) {
            weight[r] = load(dtype, w + i * bytes_of(dtype) + r * k->w_stride, p, n);
        }
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            vec input = load_floats(input_of(x, b, i) + p * WIDTH);
            SEEN(input);
#pragma GCC unroll 8
            for (size_t r = 0; r < R; r++) {
                sum[r][b][p] = fmadd(weight[r], input, sum[r][b][p]);
            }
        }
    }
}

/* What is asked for: the next place, and how many steps until the one behind it. */
typedef struct requests {
    const char *next;
    size_t every, bytes;
} requests;

/* Inputs i to end, whole steps. Returns where it stopped. */
ALWAYS size_t steps(const call *k, const model_dtype dtype, const uint8_t *w, const sight *x, size_t i,
                    size_t end, requests ask, const size_t R, const size_t B, vec sum[ROWS][IMAGES][PARTS])
{
    for (size_t left = 1; i + LANES <= end; i += LANES) {
        if (--left == 0) {
            left = ask.every;
#pragma GCC unroll 8
            for (size_t r = 0; r < R; r++) {
                _mm_prefetch(ask.next + r * k->w_stride, B == 1 ? _MM_HINT_T1 : _MM_HINT_T0);
            }
            ask.next += ask.bytes;
        }
        step(k, dtype, w, x, i, R, B, LANES, sum);
    }
    return i;
}

ALWAYS void put(const vec sum[PARTS], const float *bias, int relu, float *out)
{
    float value = add_up(sum) + *bias;
    *out = relu && value < 0 ? 0 : value;
}

ALWAYS void keep(const vec sum[PARTS], float *sums)
{
#pragma GCC unroll 2
    for (size_t p = 0; p < PARTS; p++) {
        store_floats(sums + p * WIDTH, sum[p]);
    }
}

/* R and B are constants at every call, so that the sums stay in registers. A tile of all inputs asks for what lies ahead in its
 * rows, at their end for the rows that follow; a panel for the next one. sums: kept from the panel before and for the one behind;
 * NULL where all inputs are taken. */
ALWAYS void tile(const call *k, const model_dtype dtype, const uint8_t *w, const float *x, const size_t R,
                 const size_t B, const float *bias, float *out, float *sums)
{
    const size_t bytes = bytes_of(dtype), last = AHEAD / bytes;
    const sight in = sight_of(k, x, B);
    vec sum[ROWS][IMAGES][PARTS];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 16
        for (size_t b = 0; b < B * PARTS; b++) {
            sum[r][b / PARTS][b % PARTS] = k->from ? load_floats(sums + (r * B * PARTS + b) * WIDTH) : zero();
        }
    }
    size_t i = k->from, far = sums ? k->behind : AHEAD;
    size_t end = sums ? k->to : k->n > last ? k->n - last : 0;
    for (int half = 0; half < 2; half++) {
        const requests ask = {(const char *)w + i * bytes + far, sums ? k->every : 1,
                              sums ? 64 : LANES * bytes};
        i = steps(k, dtype, w, &in, i, end, ask, R, B, sum);
        end = k->to;
        far = AHEAD + R * k->w_stride - k->n * bytes;
    }
    if (i < k->to) {
        step(k, dtype, w, &in, i, R, B, k->to - i, sum);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            if (k->to < k->n) {
                keep(sum[r][b], sums + (r * B + b) * LANES);
            } else {
                put(sum[r][b], bias + r, k->relu, out + b * k->out_stride + r);
            }
        }
    }
}

/* All rows for B images, R rows at a time. */
ALWAYS void rows_of(const call *k, const model_dtype dtype, const uint8_t *w, size_t rows, const float *x,
                    const size_t R, const size_t B, const float *bias, float *out, float *sums)
{
    size_t r = 0;
    for (; r + R <= rows; r += R) {
        tile(k, dtype, w + r * k->w_stride, x, R, B, bias + r, out + r, sums ? sums + r * B * LANES : NULL);
    }
    for (; r < rows; r++) {
        tile(k, dtype, w + r * k->w_stride, x, 1, B, bias + r, out + r, sums ? sums + r * B * LANES : NULL);
    }
}

/* A function for each kind of weights and number of images: what compilers make of them all in one takes them minutes. */
typedef void rows_fn(const call *k, const uint8_t *w, size_t rows, const float *x, const float *bias,
                     float *out, float *sums);
#define ROWS_FN(dtype, images)                                                                               \
    static __attribute__((noinline)) void rows_##dtype##_##images(                                           \
        const call *k, const uint8_t *w, size_t rows, const float *x, const float *bias, float *out,         \
        float *sums)                                                                                         \
    {                                                                                                        \
        rows_of(k, dtype, w, rows, x, ROWS_##images, images, bias, out, sums);                               \
    }

#if IMAGES == 8
#define EACH_COUNT(X, dtype)                                                                                 \
    X(dtype, 1) X(dtype, 2) X(dtype, 3) X(dtype, 4) X(dtype, 5) X(dtype, 6) X(dtype, 7) X(dtype, 8)
#else
#define EACH_COUNT(X, dtype) X(dtype, 1) X(dtype, 2) X(dtype, 3)
#endif

/* At most SAVED_ROWS rows for at most SAVED_IMAGES images, panel by panel. of: by number of images less one. */
static void panels_of(call *k, size_t bytes, rows_fn *const of[IMAGES], const uint8_t *w, size_t rows,
                      const float *x, size_t images, const float *bias, float *out)
{
    _Alignas(64) float sums[SAVED_ROWS * SAVED_IMAGES * LANES];
    const size_t groups = (images + IMAGES - 1) / IMAGES, lines = PANEL * bytes / 64;
    const size_t each = (lines + groups - 1) / groups; /* of the next panel, asked for with each group */
    k->every = PANEL / LANES / each;
    for (k->from = 0; k->from < k->n; k->from = k->to) {
        k->to = k->n - k->from < PANEL ? k->n : k->from + PANEL;
        k->behind = (k->to - k->from) * bytes;
        for (size_t i = 0; i < images; i += IMAGES) {
            size_t here = images - i < IMAGES ? images - i : IMAGES;
            of[here - 1](k, w, rows, x + i * k->x_stride, bias, out + i * k->out_stride,
                         sums + i * SAVED_ROWS * LANES);
            k->behind += each * 64;
        }
    }
}

static void linear(call k, size_t bytes, rows_fn *const of[IMAGES], const uint8_t *w, size_t rows,
                   const float *x, size_t images, const float *bias, float *out)
{
    if (images <= IMAGES) {
        of[images - 1](&k, w, rows, x, bias, out, NULL);
        return;
    }
    const size_t together = images <= SAVED_IMAGES / 2 ? SAVED_ROWS / 2 : SAVED_ROWS;
    for (size_t r = 0; r < rows; r += together) {
        for (size_t i = 0; i < images; i += SAVED_IMAGES) {
            panels_of(&k, bytes, of, w + r * k.w_stride, rows - r < together ? rows - r : together,
                      x + i * k.x_stride, images - i < SAVED_IMAGES ? images - i : SAVED_IMAGES, bias + r,
                      out + i * k.out_stride + r);
        }
    }
}

#define ROWS_NAME(dtype, images) rows_##dtype##_##images,
#define KERNEL(name, dtype)                                                                                  \
    EACH_COUNT(ROWS_FN, dtype)                                                                               \
    NN_LINEAR_DECLARE(name)                                                                                  \
    {                                                                                                        \
        static rows_fn *const of[IMAGES] = {EACH_COUNT(ROWS_NAME, dtype)};                                   \
        const call k = {w_stride, n, x_stride, relu, out_stride, 0, n, 1, 0};                                \
        if (images > 0) {                                                                                    \
            linear(k, bytes_of(dtype), of, w, rows, x, images, bias, out);                                   \
        }                                                                                                    \
    }

/* The weights of lines j to end of R rows; the line that is `ahead` entries further, plus `far` bytes, is asked for. */
ALWAYS size_t lines_steps(const call *k, const uint8_t *w, const sight *x, const uint32_t *lines, size_t j,
                          size_t end, ptrdiff_t ahead, size_t far, const size_t R,
                          vec sum[ROWS][IMAGES][PARTS])
{
    for (; j < end; j++) {
        const char *later = (const char *)w + (size_t)lines[(ptrdiff_t)j + ahead] * LANES * 4 + far;
#pragma GCC unroll 8
        for (size_t r = 0; r < R; r++) {
            _mm_prefetch(later + r * k->w_stride, _MM_HINT_T1);
        }
        step(k, MODEL_F32, w, x, (size_t)lines[j] * LANES, R, 1, LANES, sum);
    }
    return j;
}

ALWAYS void lines_tile(const call *k, const uint8_t *w, const float *x, const uint32_t *lines, size_t count,
                       const size_t R, const float *bias, float *out)
{
    const size_t cut = k->n % LANES, begin = k->n - cut; /* of a last line that is not whole */
    const size_t whole = count - (count > 0 && cut && (size_t)lines[count - 1] * LANES == begin);
    const size_t ahead = whole < 2 * LINES_AHEAD ? whole / 2 : LINES_AHEAD;
    const sight in = sight_of(k, x, 1);
    vec sum[ROWS][IMAGES][PARTS];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 2
        for (size_t p = 0; p < PARTS; p++) {
            sum[r][0][p] = zero();
        }
    }
    size_t j = lines_steps(k, w, &in, lines, 0, whole - ahead, (ptrdiff_t)ahead, 0, R, sum);
    lines_steps(k, w, &in, lines, j, whole, (ptrdiff_t)ahead - (ptrdiff_t)whole, R * k->w_stride, R, sum);
    if (whole < count) {
        step(k, MODEL_F32, w, &in, begin, R, 1, cut, sum);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
        put(sum[r][0], bias + r, k->relu, out + r);
    }
}

#define LINES_KERNEL(name)                                                                                   \
    NN_LINEAR_LINES_DECLARE(name)                                                                            \
    {                                                                                                        \
        const call k = {.w_stride = w_stride, .n = n, .relu = relu};                                         \
        size_t r = 0;                                                                                        \
        for (; r + LINES_ROWS <= rows; r += LINES_ROWS) {                                                    \
            lines_tile(&k, w + r * w_stride, x, lines, count, LINES_ROWS, bias + r, out + r);                \
        }                                                                                                    \
        for (; r < rows; r++) {                                                                              \
            lines_tile(&k, w + r * w_stride, x, lines, count, 1, bias + r, out + r);                         \
        }                                                                                                    \
    }

#endif
