module dragoman.dev/tests/cluster/programs/pause

go 1.26.0
