# mergekit makes of a written configuration what the pruned model computes.
# debian: gcc libc6-dev
# python: mergekit
# data: yes
AVSSNATIVE_MERGEKIT_PYTHON=$build/mergekit/bin/python tests -run Mergekit -count=1 -timeout 20m ./internal/peers
