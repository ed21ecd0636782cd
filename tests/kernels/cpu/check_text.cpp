// The tokenizer against a plain search for the longest match, and the cuts of the sampler.
#include <algorithm>
#include <string>

#include "checks.h"

namespace check {
namespace {

// All single bytes, and random runs of a few letters.
std::vector<std::string> vocabulary() {
    Random random(21);
    std::vector<std::string> tokens;
    for (int i = 0; i < 256; i++) tokens.emplace_back(1, char(i));
    while (tokens.size() < 900) {
        std::string one;
        for (int n = 2 + random.below(6); n > 0; n--) one += char('a' + random.below(4));
        if (std::find(tokens.begin(), tokens.end(), one) == tokens.end()) tokens.push_back(one);
    }
    return tokens;
}

std::vector<int32_t> longest_matches(const std::vector<std::string>& tokens,
                                     const std::string& text) {
    std::vector<int32_t> out;
    for (size_t at = 0; at < text.size();) {
        size_t best = size_t(uint8_t(text[at]));  // the byte itself
        for (size_t i = 0; i < tokens.size(); i++)
            if (tokens[i].size() > tokens[best].size() &&
                text.compare(at, tokens[i].size(), tokens[i]) == 0)
                best = i;
        out.push_back(int32_t(best) + 1);
        at += tokens[best].size();
    }
    return out;
}

std::string random_text(int length, int letters) {
    Random random(22);
    std::string text;
    for (int i = 0; i < length; i++)
        text += char(random.below(20) ? 'a' + random.below(letters) : random.below(256));
    return text;
}

int draw(Result& result, const Floats& logits, double temperature, double top_p, double min_p,
         int top_k, double random) {
    Floats scratch(logits.size());
    int32_t token = -1;
    result.call(skn_sample(logits.data(), logits.size(), temperature, top_p, min_p, top_k, random,
                           scratch.data(), &token),
                "skn_sample");
    return token;
}

// How many logits are above that of `token`.
int rank_of(const Floats& logits, int token) {
    return int(std::count_if(logits.begin(), logits.end(),
                             [&](float one) { return one > logits[size_t(token)]; }));
}

}  // namespace

void check_tokenizer(Result& result) {
    const std::vector<std::string> tokens = vocabulary();
    std::vector<uint8_t> bytes;
    std::vector<uint64_t> offsets{0};
    std::vector<int32_t> ids;
    for (const std::string& one : tokens) {
        bytes.insert(bytes.end(), one.begin(), one.end());
        offsets.push_back(bytes.size());
        ids.push_back(int32_t(ids.size()) + 1);
    }
    skn_tokenizer* tokenizer = nullptr;
    result.call(skn_tokenizer_create(bytes.data(), offsets.data(), ids.data(), ids.size(),
                                     &tokenizer),
                "skn_tokenizer_create");
    for (int length : {0, 1, 7, 2000}) {
        const std::string text = random_text(length, 5);
        std::vector<int32_t> out(text.size() + 1);
        size_t count = 0;
        result.call(skn_tokenizer_encode(tokenizer,
                                         reinterpret_cast<const uint8_t*>(text.data()),
                                         text.size(), out.data(), &count),
                    "skn_tokenizer_encode");
        out.resize(count);
        result.expect(out == longest_matches(tokens, text), "tokens of %d bytes", length);
    }
    skn_tokenizer_destroy(tokenizer);
}

void check_sampler(Result& result) {
    for (int vocab : {1, 5, 1000, 65536}) {
        const Floats logits = Random(uint64_t(vocab)).normals(size_t(vocab), 3);
        for (double random : {0.0, 0.3, 0.999999}) {
            result.expect(rank_of(logits, draw(result, logits, 0, 1, 0, 0, random)) == 0,
                          "temperature 0 of %d is not the best", vocab);
            result.expect(rank_of(logits, draw(result, logits, 1, 1e-9, 0, 0, random)) == 0,
                          "almost no top_p of %d is not the best", vocab);
            result.expect(rank_of(logits, draw(result, logits, 1, 1, 0, 7, random)) < 7,
                          "top_k 7 of %d", vocab);
            const int token = draw(result, logits, 1, 1, 0.1, 0, random);
            const float best = *std::max_element(logits.begin(), logits.end());
            result.expect(logits[size_t(token)] >= best + std::log(0.1f) - 1e-4f,
                          "min_p 0.1 of %d", vocab);
            const int any = draw(result, logits, 1.3, 1, 0, 0, random);
            result.expect(any >= 0 && any < vocab, "token %d of %d", any, vocab);
        }
    }
}

}  // namespace check
