// Greedy longest match over bytes: a double-array trie, eight bytes a slot, one load a byte.
//
// A node with children has a base; its child for byte c lies at slot base + c and names c. No two
// nodes share a base, so the name alone tells that a slot is this node's child. The World
// vocabulary takes some 1.5 MB: it stays in the second-level cache.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "model.h"
#include "skein_cpu.h"

namespace {

constexpr uint32_t kNoToken = 0xffffffffu;
constexpr uint32_t kNoBase = 0x7fffffu;  // a node without children: no slot is that far out
constexpr size_t kBytes = 256;
constexpr size_t kLongSearch = 64;
constexpr uint32_t kNoLabel = 256;  // of an empty slot: no byte leads there

struct Slot {
    uint32_t base : 23;   // of this node's children
    uint32_t label : 9;   // the byte that leads here
    uint32_t token;       // that ends here, or kNoToken
};
constexpr Slot kEmpty{kNoBase, kNoLabel, kNoToken};
static_assert(sizeof(Slot) == 8, "a slot is one load");

struct Entry {
    std::string_view bytes;
    int32_t id;
    bool operator<(const Entry &other) const { return bytes < other.bytes; }
};

// Lays nodes out, parents first; entries are sorted, so a node's tokens are one range of them.
class Builder {
  public:
    explicit Builder(const std::vector<Entry> &entries) : entries_(entries) {}

    // False: too many tokens for 23 bits of slots.
    bool build() {
        struct Work {
            size_t begin, end, depth, slot;
        };
        std::vector<Work> waiting;
        uint32_t base;
        // The root is no slot: its children start at slot 0, one for each byte.
        std::vector<size_t> begins;
        auto children = [&](size_t begin, size_t end, size_t depth) {
            begins.clear();
            for (size_t i = begin; i < end; i++)
                if (i == begin || byte(i, depth) != byte(i - 1, depth)) begins.push_back(i);
        };
        auto place = [&](size_t end, size_t depth) {
            for (size_t i = 0; i < begins.size(); i++) {
                const size_t last = i + 1 < begins.size() ? begins[i + 1] : end;
                const size_t slot = base + byte(begins[i], depth);
                slots_[slot] = {kNoBase, byte(begins[i], depth), kNoToken};
                size_t first = begins[i];
                if (entries_[first].bytes.size() == depth + 1)
                    slots_[slot].token = static_cast<uint32_t>(entries_[first++].id);
                if (first < last) waiting.push_back({first, last, depth + 1, slot});
            }
        };
        children(0, entries_.size(), 0);
        base = claim(begins, 0);
        place(entries_.size(), 0);
        for (size_t next = 0; next < waiting.size(); next++) {
            const Work work = waiting[next];
            children(work.begin, work.end, work.depth);
            base = claim(begins, work.depth);
            if (base >= kNoBase) return false;
            slots_[work.slot].base = base;
            place(work.end, work.depth);
        }
        return true;
    }

    // The slots, with room behind the last one for every byte of the last base.
    std::vector<Slot> take() {
        const auto last = std::find(taken_.rbegin(), taken_.rend(), true).base();
        slots_.resize(static_cast<size_t>(last - taken_.begin()) + kBytes, kEmpty);
        return std::move(slots_);
    }

  private:
    uint8_t byte(size_t entry, size_t depth) const {
        return static_cast<uint8_t>(entries_[entry].bytes[depth]);
    }

    // Finds a base of its own under which all children are free, and takes their slots. Where the
    // search takes long it begins further on from then: a few slots stay empty, 3 % of them.
    uint32_t claim(const std::vector<size_t> &begins, size_t depth) {
        const size_t lowest = byte(begins[0], depth);
        size_t &hint = hints_[begins.size() == 1 ? 0 : begins.size() <= 4 ? 1 : 2];
        const size_t from = std::max(hint, lowest);
        for (size_t at = from;; at++) {
            grow(at + 2 * kBytes);
            const size_t base = at - lowest;
            if (taken_[at] || used_base_[base] || !fits(begins, depth, base)) continue;
            used_base_[base] = true;
            for (size_t i : begins) taken_[base + byte(i, depth)] = true;
            if (at - from > kLongSearch) hint = at - kLongSearch / 2;
            return static_cast<uint32_t>(base);
        }
    }

    bool fits(const std::vector<size_t> &begins, size_t depth, size_t base) const {
        for (size_t i : begins)
            if (taken_[base + byte(i, depth)]) return false;
        return true;
    }

    void grow(size_t size) {
        if (slots_.size() >= size) return;
        const size_t larger = std::max(size, slots_.size() * 2);
        taken_.resize(larger, false);
        used_base_.resize(larger, false);
        slots_.resize(larger, kEmpty);
    }

    const std::vector<Entry> &entries_;
    std::vector<Slot> slots_;
    std::vector<bool> taken_, used_base_;
    size_t hints_[3] = {0, 0, 0};  // where to look, for nodes of one, of few, of many children
};

}  // namespace

struct skn_tokenizer {
    std::vector<Slot> slots;
};

extern "C" {

int skn_tokenizer_create(const uint8_t *bytes, const uint64_t *offsets, const int32_t *ids,
                         size_t tokens, skn_tokenizer **tokenizer) {
    if (!bytes || !offsets || !ids || !tokenizer)
        return skn::fail(SKN_BAD_ARGUMENT, "a null pointer");
    *tokenizer = nullptr;
    try {
        std::vector<Entry> entries;
        entries.reserve(tokens);
        std::vector<bool> single(kBytes, false);
        for (size_t i = 0; i < tokens; i++) {
            if (offsets[i + 1] <= offsets[i] || ids[i] < 0)
                return skn::fail(SKN_BAD_ARGUMENT, "a token without bytes, or with an id below 0");
            const char *begin = reinterpret_cast<const char *>(bytes) + offsets[i];
            entries.push_back({{begin, static_cast<size_t>(offsets[i + 1] - offsets[i])}, ids[i]});
            if (entries.back().bytes.size() == 1) single[static_cast<uint8_t>(*begin)] = true;
        }
        if (std::find(single.begin(), single.end(), false) != single.end())
            return skn::fail(SKN_BAD_ARGUMENT, "the vocabulary lacks single bytes");
        std::sort(entries.begin(), entries.end());
        for (size_t i = 1; i < tokens; i++)
            if (entries[i].bytes == entries[i - 1].bytes)
                return skn::fail(SKN_BAD_ARGUMENT, "the vocabulary holds the same token twice");
        auto made = std::make_unique<skn_tokenizer>();
        Builder builder(entries);
        if (!builder.build())
            return skn::fail(SKN_UNSUPPORTED, "the vocabulary is too large");
        made->slots = builder.take();
        made->slots.shrink_to_fit();
        *tokenizer = made.release();
        return SKN_OK;
    } catch (const std::bad_alloc &) {
        return skn::fail(SKN_NO_MEMORY, "no memory for the tokenizer");
    } catch (...) {
        return skn::fail(SKN_INTERNAL, "the tokenizer could not be made");
    }
}

void skn_tokenizer_destroy(skn_tokenizer *tokenizer) { delete tokenizer; }

int skn_tokenizer_encode(const skn_tokenizer *tokenizer, const uint8_t *text, size_t bytes,
                         int32_t *out, size_t *count) {
    if (!tokenizer || !count || (bytes && (!text || !out)))
        return skn::fail(SKN_BAD_ARGUMENT, "a null pointer");
    const Slot *slots = tokenizer->slots.data();
    const uint8_t *at = text, *end = text + bytes;
    int32_t *next = out;
    while (at < end) {
        // Every single byte is a token, and the root's children are the first 256 slots.
        Slot slot = slots[*at];
        const uint8_t *here = at + 1, *longest_end = here;
        uint32_t longest = slot.token;
        while (here < end && slot.base != kNoBase) {
            const Slot child = slots[slot.base + *here];
            if (child.label != *here) break;
            slot = child;
            here++;
            if (slot.token != kNoToken) {
                longest = slot.token;
                longest_end = here;
            }
        }
        *next++ = static_cast<int32_t>(longest);
        at = longest_end;
    }
    *count = static_cast<size_t>(next - out);
    return SKN_OK;
}

}  // extern "C"
