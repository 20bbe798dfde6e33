#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// How the numbers of rows are compared in the lanes of vectors.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// By themselves.
template <class Scalar>
struct LaneNumbers {
  using Element = Scalar;
  using Bits = key_t<Scalar>;
  using Lanes = Vector<Bits>;
  static constexpr bool kHasTwoZeros = false;  // but one that compares
  static constexpr Element kLowest = -std::numeric_limits<Element>::infinity();

  static Vector<Element> of(Scalar const* source) { return load<Element>(source); }
  static Vector<Element> of_bits(Vector<Element> x) { return x; }
  static Element least_of(Scalar x) { return x; }
  // The smallest number above those equal to x.
  static Element after(Element x) { return scalar_of<Scalar>(key_of(x + Element{0}) + 1); }
  static Vector<Element> bits(Vector<Element> x) { return x; }
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
    Lanes suspects(Vector<Element> maximum) const {
      auto const difference = maximum - maximum;
      return (sum_ != sum_) | (difference != difference);
    }

   private:
    Vector<Element> sum_ = {};
  };

  static Lanes suspects(Seen const& seen, Vector<Element> maximum) {
    return seen.suspects(maximum);
  }
};

// By integers of the same order: their magnitudes with a sign, so that -0.0 equals +0.0. They
// compare faster than numbers, and a vector holds twice as many of 16 bits as of floats. This much
// is the same for all numbers of one size.
template <class Integer>
struct OrderedLanes {
  using Element = Integer;
  using Bits = Integer;
  static constexpr bool kHasTwoZeros = true;
  static constexpr Element kMinusZero = std::numeric_limits<Element>::min();
  static constexpr Element kLowest = std::numeric_limits<Element>::min();

  // bits() are those of +0.0 for either zero.
  static Vector<Element> of_bits(Vector<Element> bits) {
    // Unsigned, since the lanes that are not taken may overflow.
    using Unsigned = std::make_unsigned_t<Element>;
    auto const negated =
        broadcast(static_cast<Unsigned>(kLowest)) - reinterpret_cast<Vector<Unsigned>>(bits);
    return bits < 0 ? reinterpret_cast<Vector<Element>>(negated) : bits;
  }
  static Vector<Element> bits(Vector<Element> x) { return of_bits(x); }

  class Seen {
   public:
    void add(Vector<Element> x) { smallest_ = smaller(smallest_, x); }
    void add(Seen const& other) { add(other.smallest_); }
    Vector<Element> smallest() const { return smallest_; }

   private:
    Vector<Element> smallest_ = broadcast(std::numeric_limits<Element>::max());
  };
};

template <class Scalar>
struct LaneIntegers : OrderedLanes<key_t<Scalar>> {
  using Ordered = OrderedLanes<key_t<Scalar>>;
  using Element = key_t<Scalar>;
  using Lanes = Vector<Element>;
  static constexpr Element kInfinity = std::is_same_v<Scalar, Float16>    ? 0x7c00
                                       : std::is_same_v<Scalar, BFloat16> ? 0x7f80
                                                                          : 0x7f800000;
  static constexpr Element kLowest = -kInfinity;

  static Lanes suspects(typename Ordered::Seen const& seen, Vector<Element> maximum) {
    return (seen.smallest() < kLowest) | (maximum <= kLowest) | (maximum >= kInfinity);
  }

  class Seen : public Ordered::Seen {
   public:
    Lanes suspects(Vector<Element> maximum) const { return LaneIntegers::suspects(*this, maximum); }
  };
};

// In which rows of a lane each are compared, where numbers are looked for that equal others.
template <class Scalar>
using ShortNumbers =
    std::conditional_t<sizeof(Scalar) == 2, LaneIntegers<Scalar>, LaneNumbers<Scalar>>;

// By keys, which take fewer instructions, but of which -0.0 has a smaller one than +0.0.
template <class Scalar>
struct LaneKeys {
  using Element = key_t<Scalar>;
  using Lanes = Vector<Element>;
  static constexpr Element kInfinity = LaneIntegers<Scalar>::kInfinity;
  static constexpr Element kLowest = -kInfinity - 1;

  static Vector<Element> of(Scalar const* source) { return load_keys(source); }
  // The smallest of the numbers equal to x.
  static Element least_of(Scalar x) {
    auto const key = key_of(x);
    return key == 0 ? -1 : key;
  }
  static Element after(Element least) { return least == -1 ? 1 : least + 1; }
  static void widen_to(float* destination, Vector<Element> x) {
    alignas(kVectorBytes) Scalar scalars[kLanes<Element>];
    store(scalars, reordered(x));
    store(destination, widen_lanes(scalars));
    store(destination + kLanes<float>, widen_lanes(scalars + kLanes<float>));
  }
  static Floats largest_floats(Vector<Element> x) {
    alignas(kVectorBytes) float floats[kLanes<Element>];
    widen_to(floats, x);
    return larger(load<float>(floats), load<float>(floats + kLanes<float>));
  }

  class Seen : public OrderedLanes<Element>::Seen {
   public:
    Lanes suspects(Vector<Element> maximum) const {
      return (this->smallest() < kLowest) | (maximum <= kLowest) | (maximum >= kInfinity);
    }
  };
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
