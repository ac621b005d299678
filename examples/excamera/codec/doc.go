// Package codec is a small video codec whose state is explicit, as that of ExCamera's encoder is (Fouladi et al., NSDI 2017):
// an encoder or a decoder that begins with a State goes on where another has stopped. It is what makes it possible to encode
// the chunks of a film at the same time, and to make one film of them afterwards.
//
//	alone, end := codec.Encode(size, nil, pictures, nil)         // begins with a key frame
//	vectors, err := codec.VectorsOf(size, alone)
//	again, end := codec.Encode(size, before, pictures, vectors)  // goes on after other pictures
//	shown, end, err := codec.Decode(size, before, again)
//
// The state is the last picture shown. Pictures are grey, and a frame says for each block from where in the picture
// before it comes (its motion vector, which is what takes time to find) and how it differs, in steps of Step. It is no
// match for VP8: no transform, no filter, no rate control.
package codec
