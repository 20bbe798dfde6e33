#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "check.h"
#include "layout.h"

namespace zeta::fuzz {

// Memory of exactly the elements from the first to the last of a layout, so that a sanitizer sees
// any access beyond them.
template <class Element>
class Operand {
 public:
  Operand(Shape const& shape, Layout const& layout, Element filling)
      : shape_(shape), layout_(layout), filling_(filling) {
    size_ = static_cast<size_t>(index(shape.outer - 1, shape.inner - 1, shape.length - 1)) + 1;
    elements_.reset(new (std::align_val_t{kAlignment}) Element[size_]);
    std::fill_n(elements_.get(), size_, filling);
  }

  Element* data() { return elements_.get() + layout_.offset; }
  Element const* data() const { return elements_.get() + layout_.offset; }
  Layout const& layout() const { return layout_; }

  // Writes rows that follow each other without a gap.
  void scatter(std::vector<Element> const& rows) {
    size_t next = 0;
    for_each_index([&](size_t i) { elements_[i] = rows[next++]; });
  }

  std::vector<Element> gather() const {
    std::vector<Element> rows;
    rows.reserve(static_cast<size_t>(shape_.rows() * shape_.length));
    for_each_index([&](size_t i) { rows.push_back(elements_[i]); });
    return rows;
  }

  // Fails if a gap was written to.
  void check_gaps() const {
    std::vector<char> is_element(size_);
    for_each_index([&](size_t i) { is_element[i] = 1; });
    for (size_t i = 0; i < size_; ++i) {
      if (is_element[i] == 0 && std::memcmp(&elements_[i], &filling_, sizeof(Element)) != 0) {
        fail("element ", i, " of ", size_, " in memory is of no row, but was written");
      }
    }
  }

 private:
  int64_t index(int64_t outer, int64_t inner, int64_t column) const {
    return layout_.offset + outer * layout_.strides[0] + column * layout_.strides[1] +
           inner * layout_.strides[2];
  }

  template <class Visit>
  void for_each_index(Visit const& visit) const {
    for (int64_t outer = 0; outer < shape_.outer; ++outer) {
      for (int64_t inner = 0; inner < shape_.inner; ++inner) {
        for (int64_t column = 0; column < shape_.length; ++column) {
          visit(static_cast<size_t>(index(outer, inner, column)));
        }
      }
    }
  }

  static constexpr size_t kAlignment = 64;  // a line of the caches

  struct Delete {
    void operator()(Element* elements) const {
      ::operator delete[](elements, std::align_val_t{kAlignment});
    }
  };

  Shape shape_;
  Layout layout_;
  Element filling_;
  size_t size_;
  std::unique_ptr<Element[], Delete> elements_;
};

}  // namespace zeta::fuzz
