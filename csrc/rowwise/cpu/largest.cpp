#include "rowwise/cpu/largest.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu {
namespace {

// Finds the largest entries of a row, which is read once. Whenever the list is full, entries that
// can no longer be among them are dropped, so that a row takes time linear in its length.
template <class Scalar>
class Largest {
 public:
  explicit Largest(int64_t count) : count_(static_cast<size_t>(count)) {
    listed_.reserve(capacity());
  }

  void read(Scalar const* row, int64_t stride, int64_t length) {
    read(row, stride, length, [](int64_t) { return true; });
  }

  void read(Scalar const* row, int64_t stride, int64_t length, MaskEntry const* mask,
            int64_t mask_stride) {
    read(row, stride, length, [=](int64_t column) { return mask[column * mask_stride] != 0; });
  }

  void write_columns(int64_t* columns, int64_t stride) {
    std::sort(listed_.begin(), listed_.end(),
              [](Entry const& a, Entry const& b) { return a.column < b.column; });
    for (size_t i = 0; i < count_; ++i)
      columns[static_cast<int64_t>(i) * stride] = listed_[i].column;
  }

 private:
  using Key = key_t<Scalar>;
  static constexpr int64_t kBlock = 64;  // compared at once, by vectors

  struct Entry {
    Key key;
    int64_t column;
  };

  template <class TakesPart>
  void read(Scalar const* row, int64_t stride, int64_t length, TakesPart const& takes_part) {
    listed_.clear();
    bound_ = kLeast<Key>;
    auto const left_out = key_of_entry(narrow<Scalar>(-std::numeric_limits<double>::infinity()));
    auto const key_of = [&](int64_t column) {
      return takes_part(column) ? key_of_entry(row[column * stride]) : left_out;
    };
    int64_t first = 0;
    // What is left out has the least key of all, so that the entries there tell of it, too.
    for (; first + kBlock <= length; first += kBlock) {
      if (any_is_above_bound(row + first * stride, stride)) add(key_of, first, first + kBlock);
    }
    add(key_of, first, length);
    if (listed_.size() > count_) drop();
  }

  static Key key_of_entry(Scalar x) { return selection_key(with_greatest_nan(x)); }

  size_t capacity() const { return 2 * count_ + kBlock; }

  bool any_is_above_bound(Scalar const* block, int64_t stride) const {
    bool result = false;
    if (stride == 1) {
      for (int64_t i = 0; i < kBlock; ++i) result |= key_of_entry(block[i]) > bound_;
    } else {
      for (int64_t i = 0; i < kBlock; ++i) result |= key_of_entry(block[i * stride]) > bound_;
    }
    return result;
  }

  template <class KeyOf>
  void add(KeyOf const& key_of, int64_t first, int64_t last) {
    for (int64_t column = first; column < last; ++column) {
      Key const key = key_of(column);
      if (key <= bound_) continue;
      listed_.push_back({key, column});
      if (listed_.size() == capacity()) drop();
    }
  }

  // Leaves the largest `count_` of the listed entries. Later ones have to be above the least of
  // these.
  void drop() {
    auto const least = listed_.begin() + static_cast<std::ptrdiff_t>(count_) - 1;
    std::nth_element(listed_.begin(), least, listed_.end(), [](Entry const& a, Entry const& b) {
      return a.key != b.key ? a.key > b.key : a.column < b.column;
    });
    bound_ = least->key;
    listed_.resize(count_);
  }

  size_t count_;
  Key bound_ = kLeast<Key>;
  std::vector<Entry> listed_;
};

}  // namespace

template <class Scalar>
void largest(RowGeometry<2> const& geometry, int64_t* columns, Scalar const* entries, int64_t count,
             int64_t first_row, int64_t last_row) {
  Largest<Scalar> of_row(count);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    of_row.read(entries + offsets[1], geometry.stride[1], geometry.length);
    of_row.write_columns(columns + offsets[0], geometry.stride[0]);
  }
}

template <class Scalar>
void largest_masked(RowGeometry<3> const& geometry, int64_t* columns, Scalar const* entries,
                    MaskEntry const* mask, int64_t count, int64_t first_row, int64_t last_row) {
  Largest<Scalar> of_row(count);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    of_row.read(entries + offsets[1], geometry.stride[1], geometry.length, mask + offsets[2],
                geometry.stride[2]);
    of_row.write_columns(columns + offsets[0], geometry.stride[0]);
  }
}

// NOLINTBEGIN(bugprone-macro-parentheses): types take none.
#define ZETA_INSTANTIATE(Scalar)                                                                  \
  template void largest<Scalar>(RowGeometry<2> const&, int64_t*, Scalar const*, int64_t, int64_t, \
                                int64_t);                                                         \
  template void largest_masked<Scalar>(RowGeometry<3> const&, int64_t*, Scalar const*,            \
                                       MaskEntry const*, int64_t, int64_t, int64_t)
// NOLINTEND(bugprone-macro-parentheses)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cpu
