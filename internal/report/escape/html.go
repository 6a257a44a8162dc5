package escape

import "html"

// HTML is text for the content of an element or a quoted attribute.
func HTML(s string) string { return html.EscapeString(Visible(s)) }
