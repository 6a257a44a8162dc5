package escape

// Terminal is text for a terminal: no character of it moves the cursor, colours, rings or ends the line.
func Terminal(s string) string { return Visible(s) }
