//! How hot the machine is, and whether it is held back for that: files of Linux (`/sys`) for processor and Jetson, NVIDIA's management library
//! (NVML) for a card. Read by a thread of its own.

use std::path::{Path, PathBuf};

use andon_core::ThermalReading;

/// Reads temperatures and clocks.
pub struct ThermalMonitor {
    sys: PathBuf,
    /// Events that are only counted, as of last time: processor, card.
    counted: [Option<u64>; 2],
    #[cfg(feature = "nvml")]
    nvml: Option<nvml_wrapper::Nvml>,
}

impl ThermalMonitor {
    /// What this machine has.
    pub fn open() -> ThermalMonitor {
        ThermalMonitor {
            sys: PathBuf::from("/sys"),
            counted: [None; 2],
            #[cfg(feature = "nvml")]
            nvml: nvml_wrapper::Nvml::init().ok(),
        }
    }

    /// The states of now; a part that says nothing is left out.
    pub fn read(&mut self) -> Vec<ThermalReading> {
        let card = self.card();
        [self.processor()].into_iter().chain(card).filter(|s| s.celsius.is_some() || s.mhz.is_some()).collect()
    }

    fn processor(&mut self) -> ThermalReading {
        let zones = entries(&self.sys.join("class/thermal"), "thermal_zone");
        let celsius = zones.iter().filter_map(|z| number(&z.join("temp"))).map(|m| m as f64 / 1000.0);
        // Sensors that are switched off say nonsense.
        let celsius = celsius.filter(|c| (-50.0..200.0).contains(c)).reduce(f64::max);
        let processors = entries(&self.sys.join("devices/system/cpu"), "cpu");
        let clocks = |file: &str| {
            let khz = processors.iter().filter_map(|p| number(&p.join("cpufreq").join(file)));
            khz.max().map(|khz| (khz / 1000) as u32)
        };
        let throttled = processors.iter().filter_map(|p| number(&p.join("thermal_throttle/core_throttle_count"))).sum();
        let counted = count(&mut self.counted[0], throttled).then(|| "too hot".to_owned());
        let cooled = cooling(&self.sys, |kind| {
            ["processor", "cpu"].iter().any(|k| kind.to_ascii_lowercase().contains(k)) && !kind.contains("idle")
        });
        ThermalReading {
            what: "processor".to_owned(),
            celsius,
            mhz: clocks("scaling_cur_freq"),
            full_mhz: clocks("cpuinfo_max_freq"),
            slowed: counted.or(cooled),
        }
    }

    /// The first card: by NVML, else a Jetson's, whose files are not NVML's.
    fn card(&mut self) -> Option<ThermalReading> {
        #[cfg(feature = "nvml")]
        if let Some(state) = self.nvml.as_ref().and_then(|nvml| by_nvml(nvml).ok()) {
            return Some(state);
        }
        self.jetson()
    }

    fn jetson(&mut self) -> Option<ThermalReading> {
        let is_gpu = |p: &PathBuf| {
            let name = p.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            ["gpu", "gv11b", "ga10b", "gp10b", "gb10b"].iter().any(|gpu| name.ends_with(gpu))
        };
        let gpu = entries(&self.sys.join("class/devfreq"), "").into_iter().find(is_gpu)?;
        let mhz = |file: &str| number(&gpu.join(file)).map(|hz| (hz / 1_000_000) as u32);
        let zones = entries(&self.sys.join("class/thermal"), "thermal_zone");
        let zone = zones.iter().find(|z| word(&z.join("type")).is_some_and(|t| t.to_lowercase().starts_with("gpu")));
        let monitors = entries(&self.sys.join("class/hwmon"), "hwmon");
        let over_current = (1..4).flat_map(|n| monitors.iter().map(move |m| m.join(format!("oc{n}_event_cnt"))));
        let over_current = over_current.filter_map(|file| number(&file)).sum();
        let counted = count(&mut self.counted[1], over_current).then(|| "too much current".to_owned());
        let cooled = cooling(&self.sys, |kind| {
            let kind = kind.to_lowercase();
            kind.contains("gpu") || kind.contains("devfreq")
        });
        Some(ThermalReading {
            what: "gpu".to_owned(),
            celsius: zone.and_then(|z| number(&z.join("temp"))).map(|m| m as f64 / 1000.0),
            mhz: mhz("cur_freq"),
            full_mhz: mhz("max_freq"),
            slowed: counted.or(cooled),
        })
    }
}

#[cfg(feature = "nvml")]
fn by_nvml(nvml: &nvml_wrapper::Nvml) -> Result<ThermalReading, nvml_wrapper::error::NvmlError> {
    use nvml_wrapper::bitmasks::device::ThrottleReasons as Why;
    use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
    let card = nvml.device_by_index(0)?;
    let why = card.current_throttle_reasons()?;
    let words = [
        (Why::HW_THERMAL_SLOWDOWN | Why::SW_THERMAL_SLOWDOWN, "too hot"),
        (Why::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
        (Why::SW_POWER_CAP, "power limit"),
        (Why::HW_SLOWDOWN, "held back by the hardware"),
    ];
    let said: Vec<&str> = words.into_iter().filter(|(which, _)| why.intersects(*which)).map(|(_, word)| word).collect();
    Ok(ThermalReading {
        what: card.name().unwrap_or_else(|_| "card".to_owned()),
        celsius: card.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        mhz: card.clock_info(Clock::SM).ok(),
        full_mhz: card.max_clock_info(Clock::SM).ok(),
        slowed: (!said.is_empty()).then(|| said.join(", ")),
    })
}

/// Whether a count has grown since last time.
fn count(before: &mut Option<u64>, now: u64) -> bool {
    before.replace(now).is_some_and(|before| now > before)
}

/// What a passive cooling device of such a type does, if it does something: the kernel holds clocks back with it.
fn cooling(sys: &Path, of: impl Fn(&str) -> bool) -> Option<String> {
    entries(&sys.join("class/thermal"), "cooling_device").into_iter().find_map(|device| {
        let kind = word(&device.join("type")).filter(|kind| of(kind) && !kind.to_lowercase().contains("fan"))?;
        let (now, most) = (number(&device.join("cur_state"))?, number(&device.join("max_state"))?);
        (now > 0).then(|| format!("too hot: {kind} at step {now} of {most}"))
    })
}

/// What is in a folder and begins so, in order; nothing if there is no such folder.
fn entries(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        found.filter(|e| e.file_name().to_string_lossy().starts_with(beginning)).map(|e| e.path()).collect();
    found.sort();
    found
}

fn word(file: &Path) -> Option<String> {
    Some(std::fs::read_to_string(file).ok()?.trim().to_owned())
}

fn number(file: &Path) -> Option<u64> {
    word(file)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine made of files.
    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, ThermalMonitor) {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), files);
        let mut heat = ThermalMonitor::open();
        heat.sys = folder.path().to_owned();
        #[cfg(feature = "nvml")]
        {
            heat.nvml = None;
        }
        (folder, heat)
    }

    fn put(root: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn a_processor_says_when_it_is_held_back() {
        let (folder, mut heat) = machine(&[
            ("class/thermal/thermal_zone0/temp", "61500"),
            ("class/thermal/thermal_zone1/temp", "-274000"),
            ("class/thermal/cooling_device0/type", "Processor"),
            ("class/thermal/cooling_device0/cur_state", "0"),
            ("class/thermal/cooling_device0/max_state", "10"),
            ("class/thermal/cooling_device1/type", "pwm-fan"),
            ("class/thermal/cooling_device1/cur_state", "3"),
            ("class/thermal/cooling_device1/max_state", "4"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000"),
            ("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3400000"),
            ("devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7"),
        ]);
        let states = heat.read();
        let [now] = states.as_slice() else { panic!("{states:?}") };
        assert_eq!(
            (now.what.as_str(), now.celsius, now.mhz, now.full_mhz),
            ("processor", Some(61.5), Some(1800), Some(3400))
        );
        assert_eq!(now.slowed, None, "a fan holds nothing back");
        put(folder.path(), &[("class/thermal/cooling_device0/cur_state", "4")]);
        assert_eq!(heat.read()[0].slowed.as_deref(), Some("too hot: Processor at step 4 of 10"));
        put(folder.path(), &[("devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "9")]);
        assert_eq!(heat.read()[0].slowed.as_deref(), Some("too hot"), "counted since last time");
    }

    #[test]
    fn a_jetson_says_so_of_its_gpu() {
        let (folder, mut heat) = machine(&[
            ("class/thermal/thermal_zone0/type", "cpu-thermal"),
            ("class/thermal/thermal_zone0/temp", "50000"),
            ("class/thermal/thermal_zone1/type", "gpu-thermal"),
            ("class/thermal/thermal_zone1/temp", "72000"),
            ("class/devfreq/17000000.gpu/cur_freq", "306000000"),
            ("class/devfreq/17000000.gpu/max_freq", "918000000"),
            ("class/hwmon/hwmon3/oc1_event_cnt", "2"),
        ]);
        let gpu = heat.read().pop().unwrap();
        assert_eq!((gpu.what.as_str(), gpu.celsius, gpu.mhz, gpu.full_mhz), ("gpu", Some(72.0), Some(306), Some(918)));
        assert_eq!(gpu.slowed, None);
        put(folder.path(), &[("class/hwmon/hwmon3/oc1_event_cnt", "3")]);
        assert_eq!(heat.read().pop().unwrap().slowed.as_deref(), Some("too much current"));
        assert_eq!(heat.read().pop().unwrap().slowed, None, "over");
    }

    #[test]
    fn a_machine_that_says_nothing_has_no_states() {
        assert!(machine(&[]).1.read().is_empty());
        assert!(machine(&[("class/thermal/thermal_zone0/temp", "broken")]).1.read().is_empty());
    }
}
