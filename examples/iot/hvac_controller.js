'use strict';

// Function hvac_controller: decides what heating and cooling do next.
//
// Takes what the aggregator gives. Gives {hub, celsius, hvac, changed, why}, where hvac is "off", "heat"
// or "cool". Heating starts below the band round the set point and runs until the set point is reached;
// cooling likewise from above. Between the two nothing changes, so the plant does not flutter.

exports.handler = async ({ hub, hvac, celsius, set_point: { celsius: set, band } }) => {
  const { next, why } = decide(hvac, celsius, set, band);
  return { hub, celsius, hvac: next, changed: next !== hvac, why };
};

function decide(hvac, celsius, set, band) {
  const low = Number((set - band).toFixed(2));
  const high = Number((set + band).toFixed(2));
  if (celsius < low) {
    return { next: 'heat', why: `${celsius} C is below ${low} C` };
  }
  if (celsius > high) {
    return { next: 'cool', why: `${celsius} C is above ${high} C` };
  }
  if (hvac === 'heat' && celsius < set) {
    return { next: 'heat', why: `${celsius} C has not reached ${set} C` };
  }
  if (hvac === 'cool' && celsius > set) {
    return { next: 'cool', why: `${celsius} C has not reached ${set} C` };
  }
  return { next: 'off', why: `${celsius} C is within ${band} C of ${set} C` };
}
