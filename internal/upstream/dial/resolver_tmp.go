package dial
type Resolver struct{}
