// Blocks of tokens through all layers. What they belong to is told by sequences: a block of a
// prompt is one sequence of many tokens, a step of several chats is many sequences of one.
#pragma once

#include <vector>

#include "gemm.h"
#include "model.h"

namespace skn {

// Tokens that go through the layers together: whole tiles, and few enough for their planes to stay
// in the caches. The block size decides no rounding.
constexpr int kBlockTokens = 22 * kTile;

// Tokens first .. first + count of a block, and the state that they advance.
struct Sequence {
    int first, count;
    float *att_shift, *wkv, *ffn_shift;  // [L, D], [L, H, N, N] key-major, [L, D]
};

enum class Logits : int { none, last, all };  // last: of the last token of every sequence

// Runs one block of at most SKN_MAX_BATCH sequences; logits [sequences, V] or [tokens, V]. before:
// instead of tokens (null then). Throws std::bad_alloc or returns a code before it begins; with
// SKN_OK every state is advanced by its tokens.
int run_block(skn_model& model, const int32_t* tokens, const std::vector<Sequence>& sequences,
              Logits wanted, float* logits, const Before& before = {});

// Whether this state has read nothing, so that its first token goes by skn_decode: the group norm
// makes up for so small a memory by raising what there is, and with it what rounding in a block did.
bool begins(const skn_model& model, const Sequence& sequence);

// Room for blocks of `tokens`. Throws std::bad_alloc.
void reserve_blocks(skn_model& model, int tokens);

}  // namespace skn
