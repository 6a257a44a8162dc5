// Package nearest finds the name that was meant where one was mistyped.
package nearest

// Name is the known name with the fewest letters to change, or nothing if more than a third would have to.
func Name(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, candidate := range known {
		if d := edits(name, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// edits counts the letters to insert, delete, change, or swap with their neighbour to make a into b, none of them twice (F. Damerau, "A technique
// for computer detection and correction of spelling errors", 1964).
func edits(a, b string) int {
	rows := make([][]int, len(a)+1) // of the beginnings of a, the beginnings of b
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i][j-1]+1, rows[i-1][j]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
