# The pages as a site: every page is in its place, every link and heading that they name is there.
# python: site
# threads: 1
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
"$build/site/bin/mkdocs" build --strict --site-dir "$site/pages"
[ -s "$site/pages/index.html" ] && [ -s "$site/pages/pictures/report.png" ] && [ -s "$site/pages/schema/report.schema.json" ]
grep -q '<table>' "$site/pages/cli.html"
echo "$(find "$site/pages" -name '*.html' | wc -l) pages, $(du -sh "$site/pages" | cut -f1)"
