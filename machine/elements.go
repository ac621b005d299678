package machine

// The texts these read are valid compact JSON (Event.Output), so they look at structure only: brackets,
// commas and strings. A Map's items are taken from its array one at a time without parsing the rest.

// nextElement returns the element of array that starts at i, of an object key and value, and where the one after it starts. The first
// starts at 1.
func nextElement(array []byte, i int) (element []byte, next int) {
	start, depth := i, 0
	for ; i < len(array); i++ {
		switch array[i] {
		case '"':
			i = skipString(array, i)
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return array[start:i:i], i + 1
			}
			depth--
		case ',':
			if depth == 0 {
				return array[start:i:i], i + 1
			}
		}
	}
	return array[start:], len(array)
}

// splitMember splits an element of an object into the key, in its quotes, and the value.
func splitMember(element []byte) (key, value []byte) {
	end := skipString(element, 0) + 1
	return element[:end:end], element[end+1:]
}

// skipString returns where the string that opens at i closes.
func skipString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// countElements returns the number of elements of an array.
func countElements(array []byte) int {
	if len(array) <= 2 {
		return 0
	}
	n := 0
	for i := 1; i < len(array); n++ {
		_, i = nextElement(array, i)
	}
	return n
}
