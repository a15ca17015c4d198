/** The places of the demo world: real cities, real coordinates. */

export interface City {
  readonly cityId: string;
  readonly name: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly region: "europe" | "north-america" | "south-america" | "asia" | "oceania" | "africa";
}

const city = (
  cityId: string,
  name: string,
  latitude: number,
  longitude: number,
  region: City["region"],
): City => ({ cityId, name, latitude, longitude, region });

export const CITIES: readonly City[] = [
  city("frankfurt", "Frankfurt", 50.11, 8.68, "europe"),
  city("london", "London", 51.51, -0.13, "europe"),
  city("paris", "Paris", 48.86, 2.35, "europe"),
  city("amsterdam", "Amsterdam", 52.37, 4.9, "europe"),
  city("madrid", "Madrid", 40.42, -3.7, "europe"),
  city("milan", "Milan", 45.46, 9.19, "europe"),
  city("berlin", "Berlin", 52.52, 13.4, "europe"),
  city("stockholm", "Stockholm", 59.33, 18.07, "europe"),
  city("warsaw", "Warsaw", 52.23, 21.01, "europe"),
  city("istanbul", "Istanbul", 41.01, 28.98, "europe"),
  city("virginia", "Virginia", 39.04, -77.49, "north-america"),
  city("new-york", "New York", 40.71, -74.01, "north-america"),
  city("toronto", "Toronto", 43.65, -79.38, "north-america"),
  city("chicago", "Chicago", 41.88, -87.63, "north-america"),
  city("dallas", "Dallas", 32.78, -96.8, "north-america"),
  city("miami", "Miami", 25.76, -80.19, "north-america"),
  city("denver", "Denver", 39.74, -104.99, "north-america"),
  city("seattle", "Seattle", 47.61, -122.33, "north-america"),
  city("san-francisco", "San Francisco", 37.77, -122.42, "north-america"),
  city("los-angeles", "Los Angeles", 34.05, -118.24, "north-america"),
  city("mexico-city", "Mexico City", 19.43, -99.13, "north-america"),
  city("sao-paulo", "São Paulo", -23.55, -46.63, "south-america"),
  city("rio-de-janeiro", "Rio de Janeiro", -22.91, -43.17, "south-america"),
  city("buenos-aires", "Buenos Aires", -34.6, -58.38, "south-america"),
  city("santiago", "Santiago", -33.45, -70.67, "south-america"),
  city("bogota", "Bogotá", 4.71, -74.07, "south-america"),
  city("tokyo", "Tokyo", 35.68, 139.69, "asia"),
  city("osaka", "Osaka", 34.69, 135.5, "asia"),
  city("seoul", "Seoul", 37.57, 126.98, "asia"),
  city("shanghai", "Shanghai", 31.23, 121.47, "asia"),
  city("hong-kong", "Hong Kong", 22.32, 114.17, "asia"),
  city("taipei", "Taipei", 25.03, 121.57, "asia"),
  city("manila", "Manila", 14.6, 120.98, "asia"),
  city("singapore", "Singapore", 1.35, 103.82, "asia"),
  city("jakarta", "Jakarta", -6.21, 106.85, "asia"),
  city("mumbai", "Mumbai", 19.08, 72.88, "asia"),
  city("dubai", "Dubai", 25.2, 55.27, "asia"),
  city("sydney", "Sydney", -33.87, 151.21, "oceania"),
  city("melbourne", "Melbourne", -37.81, 144.96, "oceania"),
  city("auckland", "Auckland", -36.85, 174.76, "oceania"),
  city("johannesburg", "Johannesburg", -26.2, 28.05, "africa"),
  city("cairo", "Cairo", 30.04, 31.24, "africa"),
];

/** Where the demo's edge hosts stand; every continent with players is near one of them. */
export const HOST_CITY_IDS = ["frankfurt", "virginia", "sao-paulo", "tokyo", "singapore", "sydney"] as const;
