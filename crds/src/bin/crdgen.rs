//! Writes the generated files: `crdgen DIR` puts the CRDs' YAML and the reference pages below the project's folder DIR.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: crdgen DIR")?);
    let manifests = root.join("charts/dragoman-crds/templates");
    let reference = root.join("docs/reference");
    fs::create_dir_all(&manifests)?;
    fs::create_dir_all(&reference)?;
    for generated in dragoman_crds::generate::all()? {
        fs::write(
            manifests.join(format!("{}.yaml", generated.name)),
            generated.yaml()?,
        )?;
        let page = dragoman_crds::reference_docs::page(&generated);
        fs::write(reference.join(format!("{}.md", generated.name)), page)?;
    }
    Ok(())
}
