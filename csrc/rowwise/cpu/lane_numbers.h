#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// How the numbers of several rows are compared, one row in each lane of a vector.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// By themselves.
template <class Scalar>
struct LaneNumbers {
  using Element = Scalar;
  using Index = key_t<Scalar>;
  static constexpr Element kLowest = -std::numeric_limits<Element>::infinity();

  static Vector<Element> of(Scalar const* source) { return load<Element>(source); }
  static Element of_one(Scalar x) { return x; }
  static void widen_to(Element* destination, Vector<Element> x) { store(destination, x); }
  // The larger of those lanes that become the same lane of a vector of floats.
  static Vector<Element> largest_floats(Vector<Element> x) { return x; }

  // What has been seen of the rows. No comparison finds a NaN, but a sum keeps it.
  class Seen {
   public:
    void add(Vector<Element> x) { sum_ += x; }
    void add(Seen const& other) { sum_ += other.sum_; }

    // The lanes of rows that may hold a NaN or +inf, or -inf alone: all that do, and those whose
    // sum overflows.
    Vector<Index> suspects(Vector<Element> maximum) const {
      auto const difference = maximum - maximum;
      return (sum_ != sum_) | (difference != difference);
    }

   private:
    Vector<Element> sum_ = {};
  };
};

// By integers of the same order, of which a vector holds twice as many as of floats.
template <class Scalar>
  requires(sizeof(Scalar) == 2)
struct LaneNumbers<Scalar> {
  using Element = int16_t;
  using Index = int16_t;
  static constexpr Element kInfinity = std::is_same_v<Scalar, Float16> ? 0x7c00 : 0x7f80;
  static constexpr Element kLowest = -kInfinity;

  // Their magnitudes with a sign, so that -0.0 equals +0.0.
  static Vector<Element> of(Scalar const* source) {
    auto const bits = load<Element>(source);
    auto const sign = bits >> 15;
    return ((bits & std::numeric_limits<Element>::max()) ^ sign) - sign;
  }
  static Element of_one(Scalar x) {
    auto const magnitude = static_cast<Element>(x.bits & 0x7fff);
    return x.bits >> 15 != 0 ? -magnitude : magnitude;
  }
  static void widen_to(float* destination, Vector<Element> x) {
    alignas(kVectorBytes) Scalar scalars[kLanes<Element>];
    store(scalars, x < 0 ? -x | std::numeric_limits<Element>::min() : x);
    for (int half = 0; half < 2; ++half) {
      int const first = half * kLanes<float>;
      store(destination + first, widen_lanes(scalars + first));
    }
  }
  static Floats largest_floats(Vector<Element> x) {
    alignas(kVectorBytes) float floats[kLanes<Element>];
    widen_to(floats, x);
    return larger(load<float>(floats), load<float>(floats + kLanes<float>));
  }

  class Seen {
   public:
    void add(Vector<Element> x) { smallest_ = smaller(smallest_, x); }
    void add(Seen const& other) { add(other.smallest_); }

    Vector<Index> suspects(Vector<Element> maximum) const {
      return (smallest_ < kLowest) | (maximum <= kLowest) | (maximum >= kInfinity);
    }

   private:
    Vector<Element> smallest_ = broadcast(std::numeric_limits<Element>::max());
  };
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
