// The table of one instruction set: included by isa_*.cpp once its lanes L are defined.
#pragma once

#include "elementwise.h"
#include "gemv.h"
#include "packing.h"

namespace skn {

template <class L>
constexpr Kernels table(const char* name, const skein::BlockKernels* blocks) {
    return Kernels{
        name,           product<L>,    prepare<L>,          activate<L>,   value<L>,
        norm<L>,        mix<L>,        head<L>,             tanh_all<L>,   sigmoid_all<L>,
        exp_all<L>,     add_to<L>,     widen<L>,            pack_block<L>, pack_value_group<L>,
        unpack_block<L>, unpack_value_group<L>, pack_row<L>, unpack_row<L>, blocks,
    };
}

}  // namespace skn
