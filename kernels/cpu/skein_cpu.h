/* Skein's CPU engine: RWKV-7 on ordinary processors, behind one plain C interface.
 *
 * Handles are opaque, threads are given as a pool, nothing is printed, nothing global changes.
 * Every function that can fail returns a code (SKN_OK or below zero); skn_error tells in words what
 * went wrong last on the calling thread. One handle serves one call at a time; different handles
 * may be used from different threads. All arrays are fp32 and contiguous unless said otherwise.
 *
 * Sizes: V vocabulary, D width, L layers, N = 64 head size, H = D / N heads, F rows of the channel
 * mix. A state is three arrays that the caller owns and that a call advances in place:
 *   att_shift [L, D], wkv [L, H, N, N] KEY-major (row = key, column = value), ffn_shift [L, D].
 * The same input gives the same bits, whatever the number of threads.
 */
#ifndef SKEIN_CPU_H
#define SKEIN_CPU_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SKN_API __declspec(dllexport)
#else
#define SKN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a signature, a struct or what packing makes of the same weights changes: files of
 * packed weights are kept under it. */
#define SKN_ABI_VERSION 3
SKN_API int32_t skn_abi_version(void);

enum {
    SKN_OK = 0,
    SKN_BAD_ARGUMENT = -1, /* a null pointer, a size or a name that cannot be */
    SKN_NO_MEMORY = -2,
    SKN_NOT_FINITE = -3,  /* a weight is NaN or infinite */
    SKN_NOT_READY = -4,   /* tensors are missing, or skn_model_ready was not called */
    SKN_CANCELLED = -5,   /* the callback asked to stop; the state holds the blocks told as done */
    SKN_UNSUPPORTED = -6, /* an instruction set, a type or a shape this library cannot serve */
    SKN_INTERNAL = -7,
    SKN_NO_ROWS = -8, /* rows of DeepEmbed could not be had; the state is as after SKN_CANCELLED */
};

/* Copies what went wrong last on this thread (UTF-8, ends with 0); returns its whole length. */
SKN_API int32_t skn_error(char *buffer, size_t bytes);

/* ---- Instruction sets --------------------------------------------------------------------- */

/* The set that skn_model_create would use now: "portable", "avx2", "avx512", "avx512vnni", "neon",
 * "neon-dotprod" or "neon-i8mm". SKEIN_CPU in the environment overrides the choice. Null: SKEIN_CPU
 * names no set that this library and this machine both have (see skn_error). */
SKN_API const char *skn_cpu(void);

/* Sets that can run here, best first; returns null past the end. */
SKN_API const char *skn_cpu_available(int32_t index);

/* ---- Threads ------------------------------------------------------------------------------ */

typedef struct skn_pool skn_pool;

/* threads >= 1, the caller's own included: 1 starts none. They sleep when there is no work. */
SKN_API int skn_pool_create(int32_t threads, skn_pool **pool);
SKN_API void skn_pool_destroy(skn_pool *pool); /* null is allowed; no model may be using it */
SKN_API int32_t skn_pool_threads(const skn_pool *pool);

/* ---- Models ------------------------------------------------------------------------------- */

/* Sizes of one model. ffn: F. rank_*: inner sizes of the loras. width and ffn are multiples of 64,
 * head_size is 64; vocab and the ranks may be any number above 0.
 *
 * first_layer: 0 for a whole model. Above 0, this is the end of one, whose beginning runs elsewhere:
 * `layers` (0: the head alone) of the file's layers from this one on, under their own names, then
 * the head; without the embedding and ln0. Only skn_continue runs it.
 *
 * deep: 0, or the side n of DeepEmbed's rows (v7a), at most 64; only of whole models. Its tables
 * [V, n * n] are never held here: see skn_model_set_rows. */
typedef struct skn_shape {
    int32_t layers, width, heads, head_size, ffn, vocab;
    int32_t rank_w, rank_a, rank_v, rank_g;
    int32_t first_layer;
    int32_t deep;
} skn_shape;

/* Types of weights. int8: symmetric, groups of 64 along the input, bf16 scales. q4: a table of 16
 * levels, groups of 64, bf16 scales with a searched value and sign. With int8 and q4 the loras,
 * the head and the embedding are int8; vectors are fp32 always. Models up to 256 wide are held in
 * fp16 when int8 is asked for, and in q4 with the head and the embedding in fp16. */
enum { SKN_FP32 = 0, SKN_BF16 = 1, SKN_FP16 = 2, SKN_INT8 = 3, SKN_Q4 = 4 };

typedef struct skn_model skn_model;

/* Bytes of a packed model of this shape; 0: no such shape or type. */
SKN_API size_t skn_packed_bytes(const skn_shape *shape, int32_t weight_type);

/* An empty model with memory for all weights, to be filled by skn_model_tensor. The pool must
 * outlive it. */
SKN_API int skn_model_create(const skn_shape *shape, int32_t weight_type, skn_pool *pool,
                             skn_model **model);

/* A model over weights packed before (from skn_model_data), used in place: `data` is aligned to
 * 64 bytes, may be a read-only mapping and must outlive the model. It is ready at once. The layout
 * is that of SKN_ABI_VERSION and the same for every instruction set. */
SKN_API int skn_model_adopt(const skn_shape *shape, int32_t weight_type, const void *data,
                            size_t bytes, skn_pool *pool, skn_model **model);
SKN_API void skn_model_destroy(skn_model *model);

/* Packs one whole tensor, in parallel, and copies what it needs. name: as in BlinkDL's .pth
 * ("blocks.0.att.receptance.weight"); dtype: SKN_FP32, SKN_BF16 or SKN_FP16, that of `data`;
 * count: elements, in the file's own layout (w1 is [D, rank], ffn.value.weight [D, F]).
 * v0, v1, v2 of block 0 are accepted and ignored. A tensor given twice overwrites. */
SKN_API int skn_model_tensor(skn_model *model, const char *name, int32_t dtype, const void *data,
                             size_t count);

/* The same for some rows of a matrix that is stored [rows, columns] (every *.weight of two
 * dimensions; not the loras): first_row is a multiple of 128, and so is rows but for the last. */
SKN_API int skn_model_rows(skn_model *model, const char *name, int32_t dtype, const void *data,
                           size_t first_row, size_t rows);

/* Writes the rows that DeepEmbed's tables (blocks.N.ffn.s_emb.weight) have for these tokens:
 * rows [L, count, n * n]. Any value but 0: they cannot be had. Called on the thread that runs the
 * model, before it touches a state. */
typedef int (*skn_rows)(void *user, const int32_t *tokens, size_t count, void *rows);

/* Where a model with shape.deep gets them from, and as what (SKN_FP32, SKN_BF16 or SKN_FP16): it
 * cannot run before. */
SKN_API int skn_model_set_rows(skn_model *model, int32_t dtype, skn_rows read, void *user);

/* Checks that every tensor has come; only then can the model run. */
SKN_API int skn_model_ready(skn_model *model);

/* All packed weights, one block: what skn_model_adopt takes. Valid while the model is. */
SKN_API int skn_model_data(const skn_model *model, const void **data, size_t *bytes);

/* Bytes of weights in memory, and of buffers besides. */
SKN_API size_t skn_model_bytes(const skn_model *model);
SKN_API size_t skn_model_scratch_bytes(const skn_model *model);

/* The instruction set that this model runs with. */
SKN_API const char *skn_model_cpu(const skn_model *model);

/* Uses another pool from now on: results stay the same. */
SKN_API int skn_model_set_pool(skn_model *model, skn_pool *pool);

/* ---- Running ------------------------------------------------------------------------------ */

/* One token through all layers. logits [V], or null when nobody wants them. */
SKN_API int skn_decode(skn_model *model, int32_t token, float *att_shift, float *wkv,
                       float *ffn_shift, float *logits);

/* One token for each of n states, 1 <= n <= SKN_MAX_BATCH; every weight is read once.
 * logits [n, V] or null. */
#define SKN_MAX_BATCH 16
SKN_API int skn_decode_batch(skn_model *model, int32_t n, const int32_t *tokens,
                             float *const *att_shift, float *const *wkv, float *const *ffn_shift,
                             float *logits);

/* Told between blocks how many tokens the state holds of this call; any value but 0 stops. */
typedef int (*skn_progress)(void *user, size_t done, size_t total);

/* count >= 1 tokens, in blocks. last_logits [V] or null; all_logits [count, V] or null; progress
 * may be null. After SKN_CANCELLED the state holds exactly the tokens told as done. */
SKN_API int skn_prefill(skn_model *model, const int32_t *tokens, size_t count, float *att_shift,
                        float *wkv, float *ffn_shift, float *last_logits, float *all_logits,
                        skn_progress progress, void *user);

/* count >= 1 tokens through a model that begins at first_layer > 0, after the layers before it.
 * residual [count, D]: what those leave; v_first [count, D]: layer 0's values. The state is that of
 * the layers held here, each pointer null where there are none. Logits as for skn_prefill. One
 * token goes as by skn_decode, more go in blocks. */
SKN_API int skn_continue(skn_model *model, const float *residual, const float *v_first,
                         size_t count, float *att_shift, float *wkv, float *ffn_shift,
                         float *last_logits, float *all_logits);

/* For tests and benchmarks. What the last skn_decode found in the channel mixes: rows of the value
 * matrices, over all layers, and how many of them it had to read. */
SKN_API int skn_model_active_rows(const skn_model *model, uint64_t *active, uint64_t *rows);

/* y [M] = W x with W [M, K] packed as weight_type would pack it; value != 0: as the value matrix of
 * a channel mix: y = W relu(x)^2, M and K multiples of 64. isa: a name or null for the default. */
SKN_API int skn_test_product(const char *isa, skn_pool *pool, int32_t weight_type, int32_t value,
                             const float *w, size_t m, size_t k, const float *x, float *y);
/* W as it is after packing. */
SKN_API int skn_test_round(const char *isa, skn_pool *pool, int32_t weight_type, int32_t value,
                           const float *w, size_t m, size_t k, float *rounded);
/* y[i] = f(x[i]) with f 0: exp, 1: sigmoid, 2: tanh; n: a multiple of 16. */
SKN_API int skn_test_function(const char *isa, int32_t f, const float *x, size_t n, float *y);

/* Y [tokens, M] = X [tokens, K] W^T as prompts are multiplied; value: as a value matrix, K a
 * multiple of 64. */
SKN_API int skn_test_block_product(const char *isa, int32_t weight_type, int32_t value,
                                   const float *w, size_t m, size_t k, const float *x,
                                   size_t tokens, float *y);
/* One head over a run of tokens. planes [7, tokens, N]: r, k, v and the second products of the
 * loras w, a, v, g; vectors [8, N]: w0, a0, v0, k_k, k_a, r_k, ln_w, ln_b; v_first [tokens, N] is
 * written in the first layer, else read; state [N, N] key-major, advanced; y [tokens, N]. */
SKN_API int skn_test_head(const char *isa, const float *planes, const float *vectors,
                          size_t tokens, int32_t first_layer, float *v_first, float *state,
                          float *y);

/* ---- Tokenizer (greedy longest match over bytes) -------------------------------------------- */

typedef struct skn_tokenizer skn_tokenizer;

/* Tokens as their bytes, one after the other: token i has id ids[i] and is
 * bytes[offsets[i] .. offsets[i + 1]). All 256 single bytes must be among them. */
SKN_API int skn_tokenizer_create(const uint8_t *bytes, const uint64_t *offsets, const int32_t *ids,
                                 size_t tokens, skn_tokenizer **tokenizer);
SKN_API void skn_tokenizer_destroy(skn_tokenizer *tokenizer);

/* Writes at most `bytes` ids to `out` (room for one a byte is always enough); *count: how many. */
SKN_API int skn_tokenizer_encode(const skn_tokenizer *tokenizer, const uint8_t *text, size_t bytes,
                                 int32_t *out, size_t *count);

/* ---- Sampling ------------------------------------------------------------------------------- */

/* The cuts and the draw of engine/sampling.py, after ban, bias and penalties: top_p (1: all), min_p
 * (0: all), top_k (0: all), temperature (0: the best). random: in [0, 1). logits are left as they
 * are; scratch [V]. The nearest doubles of the settings: a float of 0.9 would move a cut. */
SKN_API int skn_sample(const float *logits, size_t vocab, double temperature, double top_p,
                       double min_p, int32_t top_k, double random, float *scratch, int32_t *token);

#ifdef __cplusplus
}
#endif

#endif
