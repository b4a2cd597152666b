package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a factor with its spelling. Lists of units go from large to small.
type unit struct {
	name   string
	factor int64
}

// durationUnits are what a Duration is written in.
func durationUnits() []unit {
	return []unit{
		{"d", 24 * int64(time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
}

// sizeUnits are what a Size is written in.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// durationMax is the longest Duration: ten years.
const durationMax = 3650 * 24 * time.Hour

// A scalarError is a fault of a short text such as "5 sec", with what may have been meant.
type scalarError struct {
	text string
	hint string // the text that would be right, "" if unknown
}

func (e *scalarError) Error() string { return e.text }

// ParseDuration reads whole numbers with the units d, h, m, s, ms, from large to small, each once: "1h30m". The longest is ten years.
func ParseDuration(s string) (Duration, error) {
	var total int64
	rest, units := s, durationUnits()
	for rest != "" || s == "" {
		digits, tail := cutDigits(rest)
		word, tail := cutLetters(tail)
		i := indexUnit(units, word)
		count, err := strconv.ParseInt(digits, 10, 64)
		if digits == "" || i < 0 || err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, durationError(s)
		}
		if err != nil || count > int64(durationMax)/units[i].factor {
			return 0, &scalarError{"a time is at most 3650d", ""}
		}
		total += count * units[i].factor
		rest, units = tail, units[i+1:]
	}
	if total > int64(durationMax) {
		return 0, &scalarError{"a time is at most 3650d", ""}
	}
	return Duration(total), nil
}

func indexUnit(units []unit, name string) int {
	for i, u := range units {
		if u.name == name {
			return i
		}
	}
	return -1
}

// durationError says what is wrong with s, and guesses what was meant.
func durationError(s string) error {
	const want = `a time is written as 250ms, 5s, 1h30m or 7d`
	compact := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	digits, word := cutDigits(compact)
	if digits == "" {
		return &scalarError{want, ""}
	}
	if word == "" {
		return &scalarError{"a time needs a unit", digits + "s"}
	}
	if fraction, ok := strings.CutPrefix(word, "."); ok {
		if guess := wholeDuration(digits+"."+strings.TrimRight(fraction, "dhms"), strings.TrimLeft(fraction, "0123456789")); guess != "" {
			return &scalarError{"a time is written in whole numbers", guess}
		}
		return &scalarError{want, ""}
	}
	for _, u := range [][]string{
		{"ms", "msec", "msecs", "millis", "millisecond", "milliseconds"}, {"s", "sec", "secs", "second", "seconds"}, {"m", "min", "mins", "minute", "minutes"},
		{"h", "hr", "hrs", "hour", "hours"}, {"d", "day", "days"},
	} {
		for _, spelling := range u {
			if word == spelling {
				return &scalarError{want, digits + u[0]}
			}
		}
	}
	if days, ok := map[string]int64{"w": 7, "week": 7, "weeks": 7, "y": 365, "year": 365, "years": 365}[word]; ok && len(digits) < 6 {
		n, _ := strconv.ParseInt(digits, 10, 64)
		return &scalarError{want, fmt.Sprintf("%dd", n*days)}
	}
	return &scalarError{want, ""}
}

// wholeDuration returns number times unit in the next smaller units, "" if that is not a whole number of milliseconds.
func wholeDuration(number, unit string) string {
	i := indexUnit(durationUnits(), unit)
	f, err := strconv.ParseFloat(number, 64)
	if i < 0 || err != nil || f > 1e6 {
		return ""
	}
	whole := math.Round(f * float64(durationUnits()[i].factor))
	if whole < float64(time.Millisecond) || math.Mod(whole, float64(time.Millisecond)) != 0 {
		return ""
	}
	return Duration(whole).String()
}

// String writes d as the configuration does: "1h30m", "250ms", "0s". What is below a millisecond is dropped.
func (d Duration) String() string {
	var b strings.Builder
	for rest, i := int64(d), 0; i < len(durationUnits()); i++ {
		u := durationUnits()[i]
		if count := rest / u.factor; count > 0 {
			fmt.Fprintf(&b, "%d%s", count, u.name)
			rest %= u.factor
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// ParseSize reads a whole number with one of the units B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024), or none for bytes.
func ParseSize(s string) (Size, error) {
	digits, word := cutDigits(s)
	if digits == "" {
		return 0, &scalarError{"a size is written as 512, 64KiB or 2MB", ""}
	}
	if word == "" {
		word = "B"
	}
	units := sizeUnits()
	i := indexUnit(units, word)
	if i < 0 {
		return 0, sizeError(digits, word)
	}
	count, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || count > math.MaxInt64/units[i].factor {
		return 0, &scalarError{"this size is too large", ""}
	}
	return Size(count * units[i].factor), nil
}

// sizeError guesses which unit word was meant for.
func sizeError(digits, word string) error {
	folded := strings.ToLower(strings.TrimSpace(word))
	for _, u := range sizeUnits() {
		name := strings.ToLower(u.name)
		if folded == name || len(name) == 3 && (folded == name[:1] || folded == name[:2]) {
			return &scalarError{"a size is written as 512, 64KiB or 2MB", digits + u.name}
		}
	}
	return &scalarError{"a size is written as 512, 64KiB or 2MB", ""}
}

// String writes s in the largest unit that divides it: "64KiB", "2MB", "240B".
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range sizeUnits() {
		if int64(s)%u.factor == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.factor, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseRate reads a whole number above 0 per s, m, h or d: "20/s".
func ParseRate(s string) (Rate, error) {
	const want = "a rate is written as 20/s, 100/m or 5000/h"
	count, per, found := strings.Cut(s, "/")
	digits, rest := cutDigits(count)
	if !found && digits != "" && rest == "" {
		return Rate{}, &scalarError{"a rate needs a time span", digits + "/s"}
	}
	units := durationUnits()[:4]
	i := indexUnit(units, per)
	if digits == "" || rest != "" || i < 0 {
		trimmed := strings.ToLower(strings.TrimSpace(per))
		if digits != "" && strings.TrimSpace(rest) == "" && trimmed != "" && indexUnit(units, trimmed[:1]) >= 0 {
			return Rate{}, &scalarError{want, digits + "/" + trimmed[:1]}
		}
		return Rate{}, &scalarError{want, ""}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > 1e12 {
		return Rate{}, &scalarError{"the count of a rate is from 1 to 1000000000000", ""}
	}
	return Rate{n, time.Duration(units[i].factor)}, nil
}

// String writes r as the configuration does.
func (r Rate) String() string {
	for _, u := range durationUnits() {
		if int64(r.Per) == u.factor {
			return fmt.Sprintf("%d/%s", r.Count, u.name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Count, r.Per)
}

// ParseShare reads a share from 0% to 100%, with up to four decimals: "5%", "0.01%".
func ParseShare(s string) (Share, error) {
	const want = "a share is written as 5%, 0.01% or 100%"
	number, percent := strings.CutSuffix(s, "%")
	whole, rest := cutDigits(number)
	fraction, point := strings.CutPrefix(rest, ".")
	decimals, tail := cutDigits(fraction)
	if whole == "" || tail != "" || point == (decimals == "") || len(decimals) > 4 {
		return 0, &scalarError{want, ""}
	}
	if !percent {
		return 0, &scalarError{"a share ends with a percent sign", s + "%"}
	}
	n, err := strconv.ParseInt(whole+(decimals + "0000")[:4], 10, 64)
	if err != nil || Share(n) > ShareMax {
		return 0, &scalarError{"a share is at most 100%", ""}
	}
	return Share(n), nil
}

// String writes s as the configuration does.
func (s Share) String() string {
	text := fmt.Sprintf("%d.%04d", s/10_000, s%10_000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

func cutDigits(s string) (digits, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}

func cutLetters(s string) (letters, rest string) {
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	return s[:n], s[n:]
}
